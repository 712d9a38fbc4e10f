//! What an endpoint wants to see before it answers.

use std::path::PathBuf;

use ilab_base::io::{self, IoError};
use ilab_openai::client::{ApiKey, ClientCertificate, EndpointOptions, TlsOptions};

use crate::cli::access::AccessArgs;
use crate::settings::Invocation;

/// The variable that holds a key, so that it appears in no process list.
pub(super) const API_KEY_VARIABLE: &str = "ILAB_API_KEY";
/// The variable that holds the password of the client's key.
pub(super) const PASSWORD_VARIABLE: &str = "ILAB_TLS_CLIENT_PASSWD";
/// What the original sends when there is no key.
const NO_API_KEY: &str = "no_api_key";

/// Key, certificate and trust.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    api_key: Option<ApiKey>,
    tls: TlsOptions,
}

impl Access {
    /// The key of the command line, its file, or the environment; the certificate from its files.
    pub(crate) fn resolve(args: AccessArgs, invocation: &Invocation) -> Result<Self, IoError> {
        let variables = &invocation.environment.variables;
        let key_in_file = args.api_key_file.map(io::read_to_string).transpose()?;
        let api_key = args
            .api_key
            .or(key_in_file)
            .or_else(|| variables.get(API_KEY_VARIABLE).cloned())
            .map(|key| key.trim().to_owned())
            .filter(|key| !key.is_empty() && key != NO_API_KEY);
        // An empty path is none, as with the original.
        let named = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let client = match named(args.tls_client_cert) {
            None => None,
            Some(certificate) => {
                let key = named(args.tls_client_key).unwrap_or_else(|| certificate.clone());
                let password = args
                    .tls_client_passwd
                    .or_else(|| variables.get(PASSWORD_VARIABLE).cloned());
                Some(ClientCertificate {
                    certificate: io::read(certificate)?,
                    key: ApiKey::new(io::read_to_string(key)?),
                    password: password
                        .filter(|password| !password.is_empty())
                        .map(ApiKey::new),
                })
            }
        };
        Ok(Self {
            api_key: api_key.map(ApiKey::new),
            tls: TlsOptions {
                accepts_any_certificate: args.tls_insecure,
                client,
            },
        })
    }

    /// Options for an endpoint that wants to see this.
    pub(crate) fn options(&self, url: &str) -> EndpointOptions {
        let mut options = EndpointOptions::new(url, self.api_key.clone());
        options.tls = self.tls.clone();
        options
    }
}
