//! A place in an object store that speaks S3.

use std::sync::{Arc, Once, OnceLock};

use deltalake::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use deltalake::{DeltaResult, DeltaTable, DeltaTableBuilder};
use futures::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig};
use reqwest::Url;

use super::error::delta;
use crate::base::{Error, Result};
use crate::config::{S3Settings, Settings};

/// How often a request without an answer is made again, after waits that double: about ten seconds in all.
const RETRIES: usize = 6;
/// What such places start with.
const SCHEME: &str = "s3://";

/// A prefix in a bucket. Commits of several machines at once are safe: a file of a log is put only where there is none.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// As `s3://bucket/prefix`.
    location: String,
    settings: S3Settings,
    /// Connected once, by the first that needs it.
    store: Arc<OnceLock<ObjectStoreRef>>,
}

impl Bucket {
    /// The place, when `location` is one. Touches no network.
    pub fn new(settings: &Settings, location: &str) -> Option<Self> {
        location.starts_with(SCHEME).then(|| Self {
            location: location.trim_end_matches('/').to_owned(),
            settings: settings.s3.clone(),
            store: Arc::default(),
        })
    }

    /// Where a table is, or would be.
    pub fn place(&self, table: &str) -> String {
        format!("{}/{table}", self.location)
    }

    /// The table, whether it exists or not, nothing loaded.
    ///
    /// # Errors
    /// When the place or the settings make no sense.
    pub fn handle(&self, table: &str) -> Result<DeltaTable> {
        register();
        let url = self.url(table)?;
        let builder = DeltaTableBuilder::from_url(url.clone()).map_err(delta)?;
        let builder = builder.with_storage_backend(self.store()?, url);
        builder.build().map_err(delta)
    }

    /// Names of the folders in `folder`.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let url = self.url(folder)?;
        let path = Path::from_url_path(url.path()).map_err(|_| unreadable(&self.location))?;
        let found = self.store()?.list_with_delimiter(Some(&path)).await;
        let found = found.map_err(|error| self.unreachable(&error))?;
        let names = found.common_prefixes.iter();
        Ok(names
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect())
    }

    /// Whether there is such a table.
    ///
    /// # Errors
    /// As [`Bucket::folders`].
    pub async fn is_table(&self, table: &str) -> Result<bool> {
        let log = self.url(&format!("{table}/_delta_log"))?;
        let path = Path::from_url_path(log.path()).map_err(|_| unreadable(&self.location))?;
        let first = self.store()?.list(Some(&path)).next().await.transpose();
        let first = first.map_err(|error| self.unreachable(&error))?;
        Ok(first.is_some())
    }

    /// Lists the place, puts the file `name` there, makes sure that it is not put a second time, and removes it.
    ///
    /// # Errors
    /// When the store cannot be reached or refuses one of these, or puts a file where there is one: two machines would lose commits.
    pub async fn probe(&self, name: &str) -> Result<()> {
        self.folders("").await?;
        let url = self.url(name)?;
        let path = Path::from_url_path(url.path()).map_err(|_| unreadable(&self.location))?;
        let store = self.store()?;
        let put = || {
            store.put_opts(
                &path,
                PutPayload::from_static(b"galen"),
                PutMode::Create.into(),
            )
        };
        put().await.map_err(|error| self.refused(&error))?;
        let again = put().await;
        let removed = store.delete(&path).await;
        match again {
            Err(object_store::Error::AlreadyExists { .. }) => removed.map_err(|error| self.refused(&error)),
            Err(error) => Err(self.refused(&error)),
            Ok(_) => Err(Error::new(format!(
                "the object store of `{}` writes over a file that should only be put where there is none",
                self.location
            ))
            .hint("two machines would lose each other's commits; use a store that knows `If-None-Match`")),
        }
    }

    fn url(&self, table: &str) -> Result<Url> {
        let url = Url::parse(&self.place(table)).ok();
        url.filter(|url| url.has_host())
            .ok_or_else(|| unreadable(&self.location))
    }

    /// The whole bucket.
    fn store(&self) -> Result<ObjectStoreRef> {
        if let Some(store) = self.store.get() {
            return Ok(Arc::clone(store));
        }
        let url = self.url("")?;
        let S3Settings {
            endpoint,
            region,
            access_key_id,
            secret_access_key,
            session_token,
        } = &self.settings;
        let retry = RetryConfig {
            max_retries: RETRIES,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(url.host_str().unwrap_or_default())
            .with_retry(retry);
        if let Some(endpoint) = endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        if let (Some(id), Some(key)) = (access_key_id, secret_access_key) {
            builder = builder
                .with_access_key_id(id.expose())
                .with_secret_access_key(key.expose());
        }
        if let Some(token) = session_token {
            builder = builder.with_token(token.expose());
        }
        // what the builder says may quote a setting
        let store = builder.build().map_err(|_| {
            Error::new(format!(
                "the settings for `{}` make no sense",
                self.location
            ))
            .hint(
                "section `[s3]` of `galen.toml`, and the variables `AWS_…`, say how it is reached",
            )
        })?;
        Ok(Arc::clone(self.store.get_or_init(|| Arc::new(store))))
    }

    /// That the store gives no answer, or a refusal. Its own words are looked at and not passed on: they may hold what only it should know.
    fn unreachable(&self, error: &object_store::Error) -> Error {
        self.without(error, "read")
    }

    /// As [`Bucket::unreachable`], of a change.
    fn refused(&self, error: &object_store::Error) -> Error {
        self.without(error, "written")
    }

    fn without(&self, error: &object_store::Error, done: &str) -> Error {
        let location = &self.location;
        let said = error.to_string();
        let says = |codes: &[&str]| codes.iter().any(|code| said.contains(code));
        if says(&["NoSuchBucket"]) {
            Error::new(format!("there is no bucket for `{location}`"))
                .hint("make the bucket, or name another as `location` in section `[lake]`")
        } else if says(&[
            "AccessDenied",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
        ]) {
            Error::new(format!("`{location}` may not be {done} with these keys"))
                .hint("section `[s3]` of `galen.toml` has `access_key_id` and `secret_access_key`")
        } else {
            Error::new(format!("`{location}` cannot be reached"))
                .hint("`endpoint` and `region` in section `[s3]` of `galen.toml` say where it is")
                .transient()
        }
    }
}

fn unreadable(location: &str) -> Error {
    Error::new(format!("`{location}` is not a place in an object store"))
        .hint("expected `s3://bucket/prefix`")
}

/// Tells the library of Delta tables, once, that such stores keep a log by putting files where there are none.
fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if let Ok(scheme) = Url::parse(SCHEME) {
            logstore_factories().insert(scheme, Arc::new(PutIfAbsent));
        }
    });
}

struct PutIfAbsent;

impl LogStoreFactory for PutIfAbsent {
    fn with_options(
        &self,
        prefixed_store: ObjectStoreRef,
        root_store: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(
            prefixed_store,
            root_store,
            location,
            options,
        ))
    }
}
