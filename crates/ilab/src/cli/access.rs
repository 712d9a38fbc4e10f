//! Flags of every command that talks to an endpoint.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct AccessArgs {
    /// Key for the API; `ILAB_API_KEY` keeps it out of the process list
    #[arg(help_heading = "Access to an endpoint", long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// File with the key for the API
    #[arg(
        help_heading = "Access to an endpoint",
        long,
        value_name = "FILE",
        conflicts_with = "api_key"
    )]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Take any certificate of the server: for tests, as whoever is in between can read everything
    #[arg(help_heading = "Access to an endpoint", long)]
    pub(crate) tls_insecure: bool,
    /// Certificate that says who is asking (PEM)
    #[arg(help_heading = "Access to an endpoint", long, value_name = "FILE")]
    pub(crate) tls_client_cert: Option<PathBuf>,
    /// Key of that certificate (PEM), unless it is in the same file
    #[arg(
        help_heading = "Access to an endpoint",
        long,
        value_name = "FILE",
        requires = "tls_client_cert"
    )]
    pub(crate) tls_client_key: Option<PathBuf>,
    /// Password of that key; `ILAB_TLS_CLIENT_PASSWD` keeps it out of the process list
    #[arg(
        help_heading = "Access to an endpoint",
        long,
        value_name = "PASSWORD",
        requires = "tls_client_cert"
    )]
    pub(crate) tls_client_passwd: Option<String>,
}
