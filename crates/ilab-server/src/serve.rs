//! Listening, and stopping without cutting anyone off too soon.

use std::io::ErrorKind;
use std::time::Duration;

use axum::serve::ListenerExt;
use ilab_base::hint::Hint;
use tokio::net::TcpListener;

use crate::model::ServedModel;
use crate::routes::router;

/// How long running answers may go on once shutting down has begun.
pub const GRACE: Duration = Duration::from_secs(5);

/// The server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error("port {port} on `{host}` is in use by another program")]
    PortInUse {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{host}`, port {port}")]
    Listen {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Listening ended.
    #[error("the server stopped")]
    Stopped(#[source] std::io::Error),
}

impl Hint for ServeError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::PortInUse { .. } => {
                "stop the other program, or choose another port with `--port`; 0 picks a free one"
            }
            Self::Listen { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                "ports below 1024 belong to the system; choose another one with `--port`"
            }
            Self::Listen { .. } => "choose an address of this machine with `--host`",
            Self::Stopped(_) => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

/// Listens on `host` and `port`; port 0 picks a free one.
///
/// # Errors
/// [`ServeError::PortInUse`], or whatever else the operating system has against it.
pub async fn bind(host: &str, port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((host, port)).await.map_err(|source| {
        let host = host.to_owned();
        match source.kind() {
            ErrorKind::AddrInUse => ServeError::PortInUse { host, port },
            _ => ServeError::Listen { host, port, source },
        }
    })
}

/// Serves until `shutdown` is ready, then takes no more connections and gives running answers [`GRACE`] to finish.
///
/// # Errors
/// [`ServeError::Stopped`] when listening itself fails.
pub async fn serve(
    listener: TcpListener,
    model: ServedModel,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (has_begun, begun) = tokio::sync::oneshot::channel();
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "pieces of an answer may be held back");
        }
    });
    let serving = axum::serve(listener, router(model)).with_graceful_shutdown(async move {
        shutdown.await;
        // Nobody listens once serving has ended by itself.
        let _ = has_begun.send(());
    });
    let patience = async {
        // The sender goes away only together with `serving`, whose end is the other branch.
        let _ = begun.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        outcome = async { serving.await } => outcome.map_err(ServeError::Stopped),
        () = patience => {
            tracing::info!("answers that were still running are cut off");
            Ok(())
        }
    }
}
