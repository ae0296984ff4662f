//! Fetching over HTTP. A broken connection is resumed where the server can, else begun anew.
//!
//! No error shows the URL's path or query: pre-signed links are secrets.

use std::time::Duration;

use futures::StreamExt;
use novacron_model::task::step as steps;
use novacron_model::{Error, Result};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::sink::Sink;
use super::{Progress, report};

const REDIRECTS_MAX: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Without a byte for so long a connection counts as broken.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Tries in a row that bring no new byte.
const FRUITLESS_MAX: u32 = 4;
/// Tries in all.
const TRIES_MAX: u32 = 100;
/// How rustls begins what it says of a certificate that it does not accept.
const UNTRUSTED: &str = "invalid peer certificate";
const PAUSE: Duration = Duration::from_millis(500);

/// A small text. `limit` is in bytes.
pub async fn text(url: &str, limit: u64) -> Result<String, Unreached> {
    let url = check_url(url)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let unreached = |error: reqwest::Error| match untrusted(&host, &cause(&error)) {
        Some(untrusted) => Unreached::Other(untrusted),
        None => Unreached::Unreached(host.clone()),
    };
    let request = client()?.get(url).timeout(READ_TIMEOUT);
    let response = request.send().await.map_err(unreached)?;
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Unreached::Unreached(host));
    }
    if !status.is_success() {
        return Err(Error::unavailable(format!("{host} answered {status}")).into());
    }
    let mut text = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        text.extend_from_slice(&chunk.map_err(unreached)?);
        if text.len() as u64 > limit {
            return Err(Error::unavailable(format!("{host} sent more than {limit} bytes")).into());
        }
    }
    let no_text = |_| Error::unavailable(format!("{host} sent something that is no text"));
    Ok(String::from_utf8(text).map_err(no_text)?)
}

/// Why a text did not come.
#[derive(Debug)]
pub enum Unreached {
    /// The host does not answer.
    Unreached(String),
    Other(Error),
}

impl From<Error> for Unreached {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// [`Trouble::Broken`]: given up after several tries.
pub async fn fetch(url: &str, sink: &mut Sink, progress: Progress<'_>) -> Result<(), Trouble> {
    let url = check_url(url)?;
    let client = client()?;
    let mut fetch = Fetch { client, url, validator: None, total: None };
    // What a broken try has brought may have to be thrown away: progress is to come further.
    let (mut fruitless, mut furthest) = (0, 0);
    for _ in 0..TRIES_MAX {
        let broken = match fetch.go_on(sink, progress).await {
            Ok(()) => return Ok(()),
            Err(Trouble::Broken(error)) => error,
            Err(fatal) => return Err(fatal),
        };
        fruitless = if sink.size > furthest { 0 } else { fruitless + 1 };
        furthest = furthest.max(sink.size);
        if fruitless >= FRUITLESS_MAX {
            return Err(Trouble::Broken(broken));
        }
        tracing::info!(host = fetch.host(), at = sink.size, "{broken}; trying again");
        if fetch.validator.is_none() {
            sink.restart().await?;
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(fruitless.saturating_sub(1))).await;
    }
    Err(Trouble::Broken(Error::unavailable(format!(
        "the connection to {} breaks too often",
        fetch.host()
    ))))
}

struct Fetch {
    client: Client,
    url: Url,
    /// Says whether the file is still the same one; without it nothing can be resumed.
    validator: Option<HeaderValue>,
    total: Option<u64>,
}

pub enum Trouble {
    /// Trying again may help.
    Broken(Error),
    Final(Error),
}

impl Trouble {
    pub fn into_error(self) -> Error {
        let (Self::Broken(error) | Self::Final(error)) = self;
        error
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Fetch {
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// One request, for all that is missing.
    async fn go_on(&mut self, sink: &mut Sink, progress: Progress<'_>) -> Result<(), Trouble> {
        let mut request = self.client.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(validator) = self.validator.clone().filter(|_| sink.size > 0) {
            request =
                request.header(RANGE, format!("bytes={}-", sink.size)).header(IF_RANGE, validator);
        }
        let response = request.send().await.map_err(|error| self.trouble(error))?;
        self.begin(&response, sink).await?;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.next().await {
            sink.write(chunk.map_err(|error| self.trouble(error))?).await?;
            report(progress, steps::DOWNLOAD, sink.size, self.total.unwrap_or(0));
        }
        match self.total {
            Some(total) if sink.size < total => {
                let message = format!("{} sent {} of {total} bytes", self.host(), sink.size);
                Err(Trouble::Broken(Error::unavailable(message)))
            }
            _ => Ok(()),
        }
    }

    /// Looks at status and headers, and puts the sink where the body begins.
    async fn begin(&mut self, response: &Response, sink: &mut Sink) -> Result<(), Trouble> {
        let status = response.status();
        match status {
            StatusCode::OK => {
                if sink.size > 0 {
                    sink.restart().await?;
                }
                self.total = response.content_length();
                self.validator = validator(response.headers());
                sink.expect(self.total)?;
                Ok(())
            }
            StatusCode::PARTIAL_CONTENT if goes_on_at(response.headers(), sink.size) => Ok(()),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                self.validator = None;
                sink.restart().await?;
                let message = format!("{} sent another part than was asked for", self.host());
                Err(Trouble::Broken(Error::unavailable(message)))
            }
            _ => {
                let error = Error::unavailable(format!("{} answered {status}", self.host()));
                let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                Err(if passing { Trouble::Broken(error) } else { Trouble::Final(error) })
            }
        }
    }

    fn trouble(&self, error: reqwest::Error) -> Trouble {
        let error = error.without_url();
        let cause = cause(&error);
        if let Some(untrusted) = untrusted(self.host(), &cause) {
            return Trouble::Final(untrusted);
        }
        let message = format!("the image cannot be fetched from {}: {cause}", self.host());
        let wrapped = Error::unavailable(message);
        if error.is_redirect() || error.is_builder() {
            Trouble::Final(wrapped)
        } else {
            Trouble::Broken(wrapped)
        }
    }
}

/// What lies beneath an error: reqwest's own words tell next to nothing.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Trying again does not help; a word on what does.
fn untrusted(host: &str, cause: &str) -> Option<Error> {
    let why = cause.strip_prefix(UNTRUSTED)?.trim_start_matches(": ");
    let message = format!("this node does not trust the certificate of {host} ({why})");
    Some(Error::unavailable(message).hint(
        "where it is right, add its authority to the node's own: on Debian a file NAME.crt in \
         /usr/local/share/ca-certificates, then update-ca-certificates",
    ))
}

fn check_url(url: &str) -> Result<Url> {
    let field = "spec.source.url";
    let url = Url::parse(url)
        .map_err(|error| Error::invalid(field, format!("the image's URL is none: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        let message = format!("images are not fetched over \"{}\"", url.scheme());
        return Err(Error::invalid(field, message).hint("use an http or https URL, or a file"));
    }
    Ok(url)
}

fn client() -> Result<Client> {
    let policy = redirect::Policy::custom(|attempt| {
        let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > REDIRECTS_MAX {
            attempt.error("too many redirects")
        } else if from_https && attempt.url().scheme() != "https" {
            attempt.error("a redirect from https to http")
        } else {
            attempt.follow()
        }
    });
    let client = Client::builder()
        .redirect(policy)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .user_agent(concat!("novacron/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(|error| {
        Error::unavailable(format!("this node cannot fetch anything: {}", cause(&error)))
            .hint("install the authorities that it is to trust (apt install ca-certificates)")
    })
}

/// A strong `ETag`, else the date (RFC 9110, 13.1.5).
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let strong = |tag: &&HeaderValue| !tag.as_bytes().starts_with(b"W/");
    headers.get(ETAG).filter(strong).or_else(|| headers.get(LAST_MODIFIED)).cloned()
}

fn goes_on_at(headers: &HeaderMap, at: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {at}-")))
}
