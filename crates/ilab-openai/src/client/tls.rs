//! How a connection over HTTPS is secured.

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::pem::{LineEnding, PemLabel as _};
use pkcs8::{PrivateKeyInfoRef, SecretDocument};
use reqwest::{ClientBuilder, Identity};

use crate::client::key::ApiKey;
use crate::client::options::EndpointError;

/// What the first line of a key says that OpenSSL before version 1.1 locked.
const OLD_LOCK: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// How a connection over HTTPS is secured.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Take any certificate of the server, out of date or of somebody else: whoever is in between can read everything.
    pub accepts_any_certificate: bool,
    /// Says to the server who is asking.
    pub client: Option<ClientCertificate>,
}

/// A certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, with those that it stands on.
    pub certificate: Vec<u8>,
    /// The key: of its own file, or of the certificate's.
    pub key: ApiKey,
    /// Unlocks the key.
    pub password: Option<ApiKey>,
}

impl TlsOptions {
    pub(super) fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, EndpointError> {
        if self.accepts_any_certificate {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        match &self.client {
            Some(client) => Ok(builder.identity(client.identity()?)),
            None => Ok(builder),
        }
    }
}

impl ClientCertificate {
    fn identity(&self) -> Result<Identity, EndpointError> {
        let mut pem = self.certificate.clone();
        pem.push(b'\n');
        pem.extend(self.unlocked_key()?.bytes());
        Identity::from_pem(&pem).map_err(|error| EndpointError::ClientCertificate {
            reason: std::error::Error::source(&error).map_or_else(
                || "there is no certificate with a key in it".to_owned(),
                |source| {
                    source
                        .to_string()
                        .trim_start_matches("unexpected error: ")
                        .to_owned()
                },
            ),
        })
    }

    fn unlocked_key(&self) -> Result<String, EndpointError> {
        let key = self.key.secret();
        if key
            .as_bytes()
            .windows(OLD_LOCK.len())
            .any(|window| window == OLD_LOCK)
        {
            return Err(EndpointError::OldLock);
        }
        let Some(block) = block(key, EncryptedPrivateKeyInfoRef::PEM_LABEL) else {
            return Ok(key.to_owned());
        };
        let (_, locked) =
            SecretDocument::from_pem(block).map_err(|error| EndpointError::ClientCertificate {
                reason: error.to_string(),
            })?;
        let Some(password) = &self.password else {
            return Err(EndpointError::LockedKey);
        };
        let wrong = |_| EndpointError::WrongPassword;
        let locked: EncryptedPrivateKeyInfoRef<'_> = locked
            .as_bytes()
            .try_into()
            .map_err(|_| EndpointError::WrongPassword)?;
        let key = locked.decrypt(password.secret()).map_err(wrong)?;
        let pem = key
            .to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
            .map_err(|_| EndpointError::WrongPassword)?;
        Ok(pem.to_string())
    }
}

/// The part of a PEM file that has this label: a file may hold the certificate as well.
fn block<'pem>(pem: &'pem str, label: &str) -> Option<&'pem str> {
    let start = pem.find(&format!("-----BEGIN {label}-----"))?;
    let end = format!("-----END {label}-----");
    let n_bytes = pem[start..].find(&end)? + end.len();
    Some(&pem[start..start + n_bytes])
}
