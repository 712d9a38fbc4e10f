//! How to reach an endpoint, and why one cannot even be tried.

use std::time::Duration;

use ilab_base::hint::Hint;

use crate::client::key::ApiKey;
use crate::client::pace::Budget;
use crate::client::retry::{RetryListener, RetryPolicy};
use crate::client::tls::TlsOptions;

/// How to reach an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// The base URL, usually ending in `/v1`.
    pub url: String,
    /// Sent as a bearer token when there is one.
    pub api_key: Option<ApiKey>,
    /// How a connection over HTTPS is secured.
    pub tls: TlsOptions,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the endpoint may send nothing at all: a whole answer of a slow machine fits in here.
    pub silence_timeout: Duration,
    /// How much the endpoint allows.
    pub budget: Budget,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Who is told of it.
    pub on_retry: Option<RetryListener>,
}

impl EndpointOptions {
    /// Options with the usual patience.
    pub fn new(url: impl Into<String>, api_key: Option<ApiKey>) -> Self {
        Self {
            url: url.into(),
            api_key,
            tls: TlsOptions::default(),
            connect_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(600),
            budget: Budget::default(),
            retry: RetryPolicy::default(),
            on_retry: None,
        }
    }
}

/// An endpoint cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The URL is no HTTP URL.
    #[error("`{url}` is not an HTTP URL: {reason}")]
    InvalidUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key has characters that no HTTP header can carry.
    #[error("the API key has characters that cannot be sent: line breaks or control characters")]
    InvalidApiKey,
    /// The certificate of the client cannot be used.
    #[error("the client's certificate cannot be used: {reason}")]
    ClientCertificate {
        /// What is wrong with it.
        reason: String,
    },
    /// The key of the client has a password, and none was given.
    #[error("the key of the client's certificate is locked with a password, and none was given")]
    LockedKey,
    /// The password does not open the key of the client.
    #[error("the password does not open the key of the client's certificate")]
    WrongPassword,
    /// The key of the client is locked in a way that is not read.
    #[error(
        "the key of the client's certificate is locked in the old way of OpenSSL, which is not read"
    )]
    OldLock,
    /// TLS could not be set up.
    #[error("the HTTPS client cannot be set up")]
    Tls(#[source] reqwest::Error),
}

impl Hint for EndpointError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::InvalidUrl { .. } => "write it as `http://HOST:PORT/v1`",
            Self::InvalidApiKey => "check for a line break at the end of the key",
            Self::ClientCertificate { .. } => {
                "both files are PEM: `-----BEGIN CERTIFICATE-----`, and `-----BEGIN PRIVATE KEY-----` in its own file or the same"
            }
            Self::LockedKey | Self::WrongPassword => "pass it with `--tls-client-passwd`",
            Self::OldLock => "lock it anew: `openssl pkcs8 -topk8 -in old.pem -out new.pem`",
            Self::Tls(_) => {
                "install your system's certificates (the package is usually called `ca-certificates`)"
            }
        };
        vec![hint.to_owned()]
    }
}
