//! A server that takes connections and never says a word.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener, TcpStream};

pub struct SilentEndpoint {
    listener: TcpListener,
    /// Connections are kept open.
    held: RefCell<Vec<TcpStream>>,
}

impl SilentEndpoint {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            listener,
            held: RefCell::default(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address())
    }

    /// Whether somebody has come since the last time.
    pub fn is_reached(&self) -> bool {
        let Ok((connection, _)) = self.listener.accept() else {
            return false;
        };
        self.held.borrow_mut().push(connection);
        true
    }
}
