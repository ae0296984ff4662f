//! The content of an image, streamed to the node that imports it: whole, or in parts that go on
//! where the former ended. A client on this machine may hand over the open file in place of its bytes.

use std::fs::File;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http_body::Body as _;
use novacron_control::index;
use novacron_model::image::Uploaded;
use novacron_model::{Code, Error, Image, Object, Task};
use novacron_store::{Snapshot, object};

use super::call::Call;
use super::objects;
use super::streams::inward;
use crate::problem::{Answer, Refusal};
use crate::resource::{Typed, scope_uid};
use crate::server::handed::Handed;

/// Where a part begins, as in the IETF's draft of resumable uploads.
pub const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Bytes of the whole.
pub const LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// Says that an open file came with the request, in place of a body.
pub const FROM: HeaderName = HeaderName::from_static("upload-from");
const DESCRIPTOR: &[u8] = b"descriptor";

pub async fn upload(call: Call, handed: Option<Extension<Handed>>, body: Body) -> Answer<Response> {
    call.params(&[])?;
    let image = image(&call)?;
    if let Some(from) = call.headers.get(FROM) {
        let file = file(from, handed.and_then(|Extension(handed)| handed.take()))?;
        call.api.gateway.upload_file(&image, file).await?;
        return accepted(&call, &image);
    }
    if let Some(offset) = number(&call, &OFFSET)? {
        return part(&call, &image, offset, body).await;
    }
    if body.is_end_stream() {
        let error = Error::new(Code::Invalid, "the request needs the image as its body");
        return Err(error.into());
    }
    let length = call.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    call.api.gateway.upload(&image, length, inward(body)).await?;
    accepted(&call, &image)
}

fn file(from: &HeaderValue, handed: Option<File>) -> Answer<File> {
    if from.as_bytes() != DESCRIPTOR {
        let error = Error::invalid("Upload-From", "this is `descriptor`, or left out");
        return Err(Refusal::malformed(error));
    }
    handed.ok_or_else(|| {
        let error = Error::invalid("Upload-From", "no open file came with the request");
        error.hint("hand one over on the unix socket, or send the content").into()
    })
}

/// How far the upload has come.
pub async fn uploaded(call: Call) -> Answer<Response> {
    call.params(&[])?;
    let uploaded = call.api.gateway.uploaded(&image(&call)?).await?;
    Ok(progress(uploaded))
}

async fn part(call: &Call, image: &Object<Image>, offset: u64, body: Body) -> Answer<Response> {
    let total = number(call, &LENGTH)?.ok_or_else(|| {
        let error = Error::invalid("Upload-Length", "a part tells the length of the whole");
        Refusal::malformed(error.hint("send Upload-Length beside Upload-Offset"))
    })?;
    let uploaded = call.api.gateway.upload_part(image, offset, total, inward(body)).await?;
    if uploaded.complete { accepted(call, image) } else { Ok(progress(uploaded)) }
}

fn progress(uploaded: Uploaded) -> Response {
    let never = (header::CACHE_CONTROL, "no-store".to_owned());
    let offset = (OFFSET, uploaded.offset.0.to_string());
    ([never, offset], Json(uploaded)).into_response()
}

fn accepted(call: &Call, image: &Object<Image>) -> Answer<Response> {
    let task = import_task(&call.api.store.snapshot(), image)?;
    let shown = objects::task(&call.api, call.project(), task.name())?;
    Ok(objects::object(StatusCode::ACCEPTED, &shown))
}

fn image(call: &Call) -> Answer<Object<Image>> {
    Typed::<Image>::OPERATIONS.check_name(&call.name)?;
    let at = call.api.store.snapshot();
    let scope = scope_uid(&at, call.project())?;
    Ok(object::expect::<Image>(&at, scope, &call.name)?)
}

fn number(call: &Call, name: &HeaderName) -> Answer<Option<u64>> {
    let Some(value) = call.headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let shown = if *name == OFFSET { "Upload-Offset" } else { "Upload-Length" };
    let bad = || Refusal::malformed(Error::invalid(shown, "this is a number of bytes"));
    number.map(Some).ok_or_else(bad)
}

/// The newest task about an image: its import.
fn import_task(at: &Snapshot, image: &Object<Image>) -> Answer<Object<Task>> {
    let tasks = object::indexed::<Task>(at, index::TARGET, &image.meta.uid.to_string());
    let none = || Error::conflict(format!("image \"{}\" has no task any more", image.name()));
    Ok(tasks.into_iter().next_back().ok_or_else(none)?)
}
