//! HTTP/1.1 to a store of objects: one connection for each request, over TLS with a verified certificate, or on the
//! loopback address. No redirect is followed and no proxy is used, and each answer is read whole, within
//! [`limits::BUCKET_ANSWER_BYTES`] and [`limits::BUCKET_PATIENCE`].

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use config::limits;
use config::outside::Url;
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::BucketError;

/// Largest head of an answer, in bytes.
const HEAD: usize = 32 << 10;

/// How a store is reached.
#[derive(Clone)]
pub(super) struct Wire {
    /// Whom `https` is believed by; none where the store stands on the loopback address and speaks `http`.
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    pub(super) fn new(endpoint: Option<&Url>, roots: Option<&Path>) -> Result<Self, BucketError> {
        let tls = match endpoint {
            Some(url) if !url.tls => None,
            _ => Some(TlsConnector::from(trusted(roots)?)),
        };
        Ok(Self { tls })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let connect = |e: std::io::Error| HttpError::new(HttpErrorKind::Connect, e);
        let (host, port) = place(request.uri(), self.tls.is_some())?;
        let stream = TcpStream::connect((host.as_str(), port)).await;
        let stream = stream.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let Some(tls) = &self.tls else {
            return carry(stream, request).await;
        };
        let name = ServerName::try_from(host);
        let name = name.map_err(|e| HttpError::new(HttpErrorKind::Connect, e))?;
        let stream = tls.connect(name, stream).await.map_err(connect)?;
        carry(stream, request).await
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let exchange = timeout(limits::BUCKET_PATIENCE, self.exchange(request));
        exchange
            .await
            .unwrap_or_else(|late| Err(HttpError::new(HttpErrorKind::Timeout, late)))
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// The host, without brackets, and the port.
fn place(uri: &Uri, tls: bool) -> Result<(String, u16), HttpError> {
    let host = uri.host().unwrap_or_default();
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let scheme = if tls { "https" } else { "http" };
    if host.is_empty() || uri.scheme_str() != Some(scheme) {
        let e = std::io::Error::other("the address is not one of the bucket's");
        return Err(HttpError::new(HttpErrorKind::Request, e));
    }
    let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Ok((host, port))
}

/// Sends the request and reads the whole answer.
async fn carry(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let failed = |e: hyper::Error| HttpError::new(HttpErrorKind::Interrupted, e);
    let odd = |e: hyper::http::Error| HttpError::new(HttpErrorKind::Request, e);
    let authority = request.uri().authority().map_or("", |it| it.as_str());
    let host = HeaderValue::from_str(authority).map_err(|e| odd(e.into()))?;
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let path = path.parse::<Uri>().map_err(|e| odd(e.into()))?;
    *request.uri_mut() = path;
    request.headers_mut().insert(HOST, host);
    let agent = HeaderValue::from_static("hallpass");
    request.headers_mut().insert(USER_AGENT, agent);
    let head = request.method() == Method::HEAD;

    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut send, connection) = handshake.map_err(failed)?;
    // Dropped with this function, whatever becomes of it.
    let mut carried = JoinSet::new();
    carried.spawn(connection);
    let answer = send.send_request(request).await.map_err(failed)?;
    let (parts, body) = answer.into_parts();
    if head {
        let none = HttpResponseBody::from(Vec::new());
        return Ok(HttpResponse::from_parts(parts, none));
    }
    let read = Limited::new(body, limits::BUCKET_ANSWER_BYTES).collect();
    let read = read.await.map_err(|e| {
        let kind = if e.is::<http_body_util::LengthLimitError>() {
            HttpErrorKind::Decode
        } else {
            HttpErrorKind::Interrupted
        };
        HttpError::new_boxed(kind, e)
    })?;
    let body = HttpResponseBody::from(read.to_bytes());
    Ok(HttpResponse::from_parts(parts, body))
}

/// The certificate authorities of the file, or else those of the system.
fn trusted(file: Option<&Path>) -> Result<Arc<ClientConfig>, BucketError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = file {
        let unread =
            |e: &dyn std::fmt::Display| BucketError::Setup(format!("{}: {e}", path.display()));
        for root in CertificateDer::pem_file_iter(path).map_err(|e| unread(&e))? {
            let added = roots.add(root.map_err(|e| unread(&e))?);
            added.map_err(|e| unread(&e))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        let none = "no certificate authority is trusted: install ca-certificates, or name a file with ca-file";
        return Err(BucketError::Setup(none.to_owned()));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|e| BucketError::Setup(e.to_string()))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}
