//! A service that is asked by HTTP POST (RFC 9110), over TLS with a verified certificate, or on the loopback address.
//!
//! One connection for one question; no redirect is followed and no proxy is used: the answer comes from where the
//! configuration says, or there is none.

use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use config::outside::Url;

use super::{Question, Unheard};

/// Largest head of an answer, in bytes.
const HEAD: usize = 16 << 10;

/// Asks, and gives the body of a good answer. Nothing here has a time limit: whoever drops it ends it.
pub(super) async fn post(
    url: &Url,
    roots: Option<&Path>,
    question: &Question,
    most: usize,
) -> Result<Vec<u8>, Unheard> {
    let request = request(url, question)?;
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await;
    let stream = stream.map_err(Unheard::Reach)?;
    stream.set_nodelay(true).map_err(Unheard::Reach)?;
    if !url.tls {
        return exchange(stream, request, most).await;
    }
    let name = ServerName::try_from(url.host.clone());
    let name = name.map_err(|e| Unheard::Tls(e.to_string()))?;
    let roots = roots.map(Path::to_owned);
    let trusted = tokio::task::spawn_blocking(move || trusted(roots.as_deref())).await;
    let trusted = trusted.unwrap_or_else(|e| Err(Unheard::Tls(e.to_string())))?;
    let stream = TlsConnector::from(trusted).connect(name, stream).await;
    let stream = stream.map_err(|e| Unheard::Tls(e.to_string()))?;
    exchange(stream, request, most).await
}

fn request(url: &Url, question: &Question) -> Result<Request<Full<Bytes>>, Unheard> {
    let mut request = Request::post(&url.path)
        .header(HOST, url.authority())
        .header(USER_AGENT, "hallpass")
        .header(CONTENT_TYPE, question.kind);
    for (name, value) in &question.facts {
        let name = HeaderName::try_from(format!("hallpass-{}", name.to_ascii_lowercase()));
        let name = name.map_err(|e| Unheard::Http(e.to_string()))?;
        request = request.header(name, value);
    }
    let body = Full::new(Bytes::from(question.body.clone()));
    request.body(body).map_err(|e| Unheard::Http(e.to_string()))
}

/// Whom `https` is believed by: the certificate authorities of the file, or else those of the system.
fn trusted(file: Option<&Path>) -> Result<Arc<ClientConfig>, Unheard> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = file {
        let unread = |e| Unheard::Tls(format!("{}: {e}", path.display()));
        for root in CertificateDer::pem_file_iter(path).map_err(unread)? {
            let added = roots.add(root.map_err(unread)?);
            added.map_err(|e| Unheard::Tls(format!("{}: {e}", path.display())))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(Unheard::Tls(
            "no certificate authority is trusted".to_owned(),
        ));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| Unheard::Tls(e.to_string()))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<Vec<u8>, Unheard> {
    let http = |e: hyper::Error| Unheard::Http(e.to_string());
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD);
    let (mut send, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(http)?;
    // Dropped with this function, whatever becomes of it.
    let mut carried = JoinSet::new();
    carried.spawn(connection);
    let answer = send.send_request(request).await.map_err(http)?;
    body(answer, most).await
}

async fn body(answer: Response<Incoming>, most: usize) -> Result<Vec<u8>, Unheard> {
    // Any of them means that it was taken (RFC 9110 §15.3); whoever needs an answer looks for it in the body.
    if !answer.status().is_success() {
        return Err(Unheard::Status(answer.status().as_u16()));
    }
    let read = Limited::new(answer.into_body(), most).collect().await;
    match read {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => Err(Unheard::Long(most)),
        Err(e) => Err(Unheard::Http(e.to_string())),
    }
}

#[cfg(test)]
mod tests;
