//! HTTPS: a server whose certificate nobody vouches for, and one that wants to know who asks (`goldens/tls/gen.sh`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ilab_base::hint::Hint as _;
use ilab_openai::client::{
    ApiKey, ClientCertificate, Endpoint, EndpointError, EndpointOptions, HttpCompleter,
    RetryPolicy, TlsOptions,
};
use ilab_openai::completer::{
    ChatMessage, Completer as _, Completion, CompletionError, Prompt, Request, Sampling,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    std::fs::read(folder.join(name)).unwrap()
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&file(name)).unwrap()
}

/// Serves one answer after the other; its base URL.
fn server(wants_client: bool) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = ServerConfig::builder();
    let builder = if wants_client {
        let mut known = RootCertStore::empty();
        known.add(certificate("client.pem")).unwrap();
        builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder(Arc::new(known))
                .build()
                .unwrap(),
        )
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_slice(&file("server_key.pem")).unwrap();
    let config = builder
        .with_single_cert(vec![certificate("server.pem")], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that does not trust this server leaves.
            let _ = answer(StreamOwned::new(connection, stream.unwrap()));
        }
    });
    format!("https://127.0.0.1:{port}/v1")
}

fn answer(mut stream: StreamOwned<ServerConnection, std::net::TcpStream>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        let n_bytes = stream.read(&mut buffer)?;
        if n_bytes == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..n_bytes]);
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        ANSWER.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(ANSWER.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn ask(url: &str, tls: TlsOptions) -> Result<Completion, CompletionError> {
    let mut options = EndpointOptions::new(url, None);
    options.tls = tls;
    options.retry = RetryPolicy {
        n_attempts: 1,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(1),
    };
    let completer = HttpCompleter::new(Endpoint::new(options).unwrap(), "granite");
    let request = Request {
        prompt: Prompt::Chat(vec![ChatMessage::user("hi")]),
        sampling: Sampling::default(),
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(completer.complete(request))
}

fn client(key: &str, password: Option<&str>) -> TlsOptions {
    TlsOptions {
        accepts_any_certificate: true,
        client: Some(ClientCertificate {
            certificate: file("client.pem"),
            key: ApiKey::new(String::from_utf8(file(key)).unwrap()),
            password: password.map(ApiKey::new),
        }),
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_unless_asked_for() {
    let url = server(false);
    let error = ask(&url, TlsOptions::default()).unwrap_err();
    let CompletionError::Unavailable { message, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(message.contains("certificate"), "{message}");
    let any = TlsOptions {
        accepts_any_certificate: true,
        client: None,
    };
    assert_eq!(ask(&url, any).unwrap().choices[0].text, "hello");
}

#[test]
fn the_server_learns_who_asks() {
    let url = server(true);
    let nobody = TlsOptions {
        accepts_any_certificate: true,
        client: None,
    };
    assert!(ask(&url, nobody).is_err());
    for (key, password) in [
        ("client_key.pem", None),
        ("client_key_locked.pem", Some("secret")),
    ] {
        let answer = ask(&url, client(key, password)).unwrap();
        assert_eq!(answer.choices[0].text, "hello");
        // All in one file, in either order.
        for parts in [["client.pem", key], [key, "client.pem"]] {
            let pem = parts.map(file).concat();
            let mut together = client(key, password);
            let certificate = together.client.as_mut().unwrap();
            certificate.key = ApiKey::new(String::from_utf8(pem.clone()).unwrap());
            certificate.certificate = pem;
            assert_eq!(ask(&url, together).unwrap().choices[0].text, "hello");
        }
    }
}

#[test]
fn keys_that_cannot_be_used_are_told_apart_and_never_shown() {
    let error = |tls: TlsOptions| {
        let mut options = EndpointOptions::new("https://localhost/v1", None);
        options.tls = tls;
        let shown = format!("{options:?}");
        assert!(
            !shown.contains("PRIVATE KEY") && !shown.contains("wrong"),
            "{shown}"
        );
        let error = Endpoint::new(options).unwrap_err();
        assert!(!error.hints().is_empty());
        error
    };
    let locked = |password| error(client("client_key_locked.pem", password));
    assert!(matches!(locked(None), EndpointError::LockedKey));
    assert!(matches!(
        locked(Some("wrong")),
        EndpointError::WrongPassword
    ));
    assert!(matches!(
        error(client("client.pem", None)),
        EndpointError::ClientCertificate { .. }
    ));
    let mut old = client("client_key.pem", None);
    old.client.as_mut().unwrap().key =
        ApiKey::new("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
    assert!(matches!(error(old), EndpointError::OldLock));
}
