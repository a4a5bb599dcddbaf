//! A file from an address: only when it changed, and going on where a broken download stopped.

use std::fs::File as StdFile;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use reqwest::header::{
    CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use reqwest::{Client, Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::files::public_part;
use super::http::{no_answer, unexpected_status};
use crate::base::{Error, Result};

/// How often a download goes on by itself after it broke off; then a retry of the task goes on.
const RESUMES: usize = 3;

/// What a server says of the version of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// Names the version.
    pub etag: Option<String>,
    /// When it was made.
    pub last_modified: Option<String>,
}

/// How a download ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Downloaded {
    /// The server still has the version that is known.
    NotModified,
    /// The part holds the whole file, of this version.
    Whole(Validators),
}

/// One download.
pub struct Download<'a> {
    /// Asks.
    pub client: &'a Client,
    /// The address.
    pub url: &'a str,
    /// Sent along.
    pub headers: HeaderMap,
    /// The version that is kept already.
    pub known: Option<Validators>,
    /// Where bytes are gathered; those of an earlier try are used when the server still has that version.
    pub part: &'a Path,
}

/// How one request ended.
enum Step {
    Done(Downloaded),
    /// What was kept is of no use.
    StartAnew,
    BrokeOff(Error),
}

impl Download<'_> {
    /// Gathers the file in `file`, which is the part, opened, and nobody else's meanwhile.
    ///
    /// # Errors
    /// Transient when the server cannot be reached or is not well.
    pub async fn run(&self, file: &StdFile) -> Result<Downloaded> {
        let mut file = File::from_std(self.disk(file.try_clone())?);
        let mut resumes = 0;
        loop {
            match self.step(&mut file).await? {
                Step::Done(downloaded) => return Ok(downloaded),
                Step::StartAnew => self.forget(&mut file).await?,
                Step::BrokeOff(error) if resumes == RESUMES => return Err(error),
                Step::BrokeOff(_) => resumes += 1,
            }
        }
    }

    async fn step(&self, file: &mut File) -> Result<Step> {
        let have = self.disk(file.metadata().await)?.len();
        let validator = tokio::fs::read_to_string(self.validator_path()).await.ok();
        let mut request = self.client.get(self.url).headers(self.headers.clone());
        match (&validator, &self.known) {
            (Some(validator), _) if have > 0 => {
                request = request
                    .header(RANGE, format!("bytes={have}-"))
                    .header(IF_RANGE, validator);
            }
            (_, Some(known)) => {
                let conditions = [
                    (IF_NONE_MATCH, &known.etag),
                    (IF_MODIFIED_SINCE, &known.last_modified),
                ];
                for (name, value) in conditions {
                    if let Some(value) = value {
                        request = request.header(name, value);
                    }
                }
            }
            _ => {}
        }
        let response = request
            .send()
            .await
            .map_err(|error| no_answer(self.url, error))?;
        match response.status() {
            StatusCode::NOT_MODIFIED if self.known.is_some() => {
                Ok(Step::Done(Downloaded::NotModified))
            }
            StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => {
                self.gather(response, file).await
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                Ok(Step::StartAnew)
            }
            StatusCode::OK => {
                self.forget(file).await?;
                self.note_version(&response).await?;
                self.gather(response, file).await
            }
            status => Err(unexpected_status(self.url, status, "200 OK")),
        }
    }

    async fn gather(&self, mut response: Response, file: &mut File) -> Result<Step> {
        let validators = Validators {
            etag: text(&response, ETAG),
            last_modified: text(&response, LAST_MODIFIED),
        };
        self.disk(file.seek(SeekFrom::End(0)).await)?;
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => self.disk(file.write_all(&bytes).await)?,
                Ok(None) => break,
                Err(error) => {
                    self.disk(file.flush().await)?;
                    return Ok(Step::BrokeOff(no_answer(self.url, error)));
                }
            }
        }
        self.disk(file.flush().await)?;
        self.disk(remove(&self.validator_path()).await)?;
        Ok(Step::Done(Downloaded::Whole(validators)))
    }

    async fn forget(&self, file: &mut File) -> Result<()> {
        self.disk(file.set_len(0).await)?;
        self.disk(file.rewind().await)?;
        self.disk(remove(&self.validator_path()).await)
    }

    /// Keeps what will tell, should the download break off, whether the rest is of the same version. A weak tag cannot.
    async fn note_version(&self, response: &Response) -> Result<()> {
        let strong = text(response, ETAG).filter(|tag| !tag.starts_with("W/"));
        let Some(validator) = strong.or_else(|| text(response, LAST_MODIFIED)) else {
            return Ok(());
        };
        self.disk(tokio::fs::write(self.validator_path(), validator).await)
    }

    fn validator_path(&self) -> PathBuf {
        self.part.with_extension("version")
    }

    fn disk<T>(&self, result: std::io::Result<T>) -> Result<T> {
        result.map_err(|error| {
            Error::new(format!(
                "cannot keep what `{}` sends",
                public_part(self.url)
            ))
            .because(error)
            .hint("make room under `state/archive`, writable for the user who runs galen")
            .transient()
        })
    }
}

async fn remove(path: &Path) -> std::io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn text(response: &Response, name: HeaderName) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(ToOwned::to_owned)
}

fn starts_at(response: &Response, start: u64) -> bool {
    text(response, CONTENT_RANGE).is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}
