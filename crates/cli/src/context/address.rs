//! URLs of clusters: `https://HOST[:PORT]`, or `http://` on loopback.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::failure::{Failure, Result};
use crate::transport::Endpoint;

/// NovaCron's port for API and console.
const PORT: u16 = 7600;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub secure: bool,
    /// Without the brackets of IPv6.
    pub host: String,
    pub port: u16,
}

impl FromStr for Address {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Failure::usage(format!("\"{text}\" is not the URL of a cluster"))
                .hint(format!("write https://HOST:{PORT}"))
        };
        let (secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(bad()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(bad());
        }
        let uri: http::uri::Authority = authority.parse().map_err(|_| bad())?;
        let host = uri.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match (uri.port(), authority.ends_with(':')) {
            (None, false) => PORT,
            (Some(port), _) => port.as_str().parse().map_err(|_| bad())?,
            (None, true) => return Err(bad()),
        };
        if host.is_empty() || port == 0 {
            return Err(bad());
        }
        let address = Self { secure, host, port };
        if !secure && !address.is_loopback() {
            return Err(Failure::usage(format!("{text} would send your token in the clear")).hint(
                "write https://, or reach the machine through `ssh -L 7600:127.0.0.1:7600`",
            ));
        }
        Ok(address)
    }
}

impl Address {
    fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// `HOST:PORT`
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// `config` is used only where the address is secure.
    pub fn endpoint(&self, config: impl FnOnce() -> Result<Arc<ClientConfig>>) -> Result<Endpoint> {
        let authority = self.authority();
        if !self.secure {
            return Ok(Endpoint::Plain { authority });
        }
        Ok(Endpoint::Tls { authority, host: self.host.clone(), config: config()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.authority());
        assert_eq!(read("https://n1.example.org"), Ok("n1.example.org:7600".into()));
        assert_eq!(read("https://10.0.0.1:443/"), Ok("10.0.0.1:443".into()));
        assert_eq!(read("https://[2001:db8::1]:7600"), Ok("[2001:db8::1]:7600".into()));
        assert_eq!(read("http://127.0.0.1:7601"), Ok("127.0.0.1:7601".into()));
        assert_eq!(read("http://[::1]"), Ok("[::1]:7600".into()));
        for bad in
            ["", "n1", "ftp://n1", "https://", "https://n1/path", "https://u@n1", "https://n1:"]
        {
            assert_eq!(read(bad).unwrap_err().exit, 2, "{bad}");
        }
    }

    #[test]
    fn a_token_is_never_sent_in_the_clear() {
        let failure = "http://10.0.0.1:7600".parse::<Address>().unwrap_err();
        assert!(failure.message.contains("in the clear"), "{failure}");
        assert!("http://localhost.evil.org".parse::<Address>().is_err());
    }
}
