//! The web console: static files embedded from `console/dist`, `index.html` for every view's URL.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use novacron_model::{Code, Error};
use rust_embed::RustEmbed;

use crate::problem::Refusal;

#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";
/// Vite puts what has a hash in its name here.
const HASHED: &str = "assets/";
/// Encodings of files that lie beside their plain form, best first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

const NOT_BUILT: &str = "The web console is not part of this build.\n\n\
    Build it with `make build`, console and all.\n\
    The API is at /v1, its description at /v1/openapi.json.\n";

/// Whatever no route took.
pub async fn serve(request: Request<Body>) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let error = Error::new(Code::Invalid, "this path does not take that method");
        let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error).into_response();
        let allow = HeaderValue::from_static("GET,HEAD");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    let path = request.uri().path().trim_start_matches('/');
    let path = if path.is_empty() { INDEX } else { path };
    if let Some(response) = file(path, request.headers()) {
        return response;
    }
    let navigation = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if path == INDEX || navigation.is_some_and(|accept| accept.contains("text/html")) {
        return file(INDEX, request.headers()).unwrap_or_else(|| {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT).into_response()
        });
    }
    let error = Error::new(Code::NotFound, "there is nothing at this path");
    Refusal::from(error.hint("the API is at /v1")).into_response()
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = Files::get(path)?;
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let takes = |name: &str| {
        let mut names = accepted.unwrap_or_default().split(',');
        names.any(|each| each.split(';').next().unwrap_or_default().trim() == name)
    };
    let encoded = ENCODINGS
        .into_iter()
        .filter(|(name, _)| takes(name))
        .find_map(|(name, end)| Some((name, Files::get(&format!("{path}{end}"))?)));
    let cache =
        if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let etag = format!("\"{}\"", crate::edge::sha256_hex(&plain.data)[..32].to_owned());
    let media = mime_guess::from_path(path).first_or_octet_stream();
    let mut builder = Response::builder()
        .header(header::CONTENT_TYPE, media.essence_str())
        .header(header::CACHE_CONTROL, cache)
        .header(header::VARY, "Accept-Encoding")
        .header(header::ETAG, &etag);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return builder.status(StatusCode::NOT_MODIFIED).body(Body::empty()).ok();
    }
    let data = match encoded {
        None => plain.data,
        Some((name, file)) => {
            builder = builder.header(header::CONTENT_ENCODING, name);
            file.data
        }
    };
    builder.body(Body::from(data.into_owned())).ok()
}
