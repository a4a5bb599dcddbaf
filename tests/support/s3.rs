//! An object store that speaks S3, for one test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use super::{Process, python_with};

/// A server on this machine with an empty bucket called `bucket`; it ends with the test.
pub struct S3 {
    address: String,
    _server: Process,
}

impl S3 {
    /// Starts it; `None` after saying that the test is skipped, where it is not installed.
    pub fn start() -> Option<Self> {
        let python = python_with("moto.server")?;
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let (host, port) = address.split_once(':').expect("a port");
        let mut command = python.command();
        command
            .args(["-m", "moto.server", "-H", host, "-p", port])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut server = Process::start(&mut command);
        for _ in 0..1200 {
            if let Some(answer) = put_bucket(&address) {
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                return Some(Self {
                    address,
                    _server: server,
                });
            }
            assert!(server.ended().is_none(), "the server ends at once");
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not answer");
    }

    /// The environment of a process that uses it.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("GALEN_LAKE__LOCATION", "s3://bucket/lake".to_owned()),
            ("GALEN_S3__ENDPOINT", format!("http://{}", self.address)),
            ("GALEN_S3__REGION", "us-east-1".to_owned()),
            ("GALEN_S3__ACCESS_KEY_ID", "key".to_owned()),
            ("GALEN_S3__SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }
}

/// The key, which nothing may say.
pub const SECRET: &str = "Tz8-open-sesame";

/// Makes the bucket; `None` while nobody listens.
fn put_bucket(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!(
        "PUT /bucket HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}
