//! Images: imported once onto one node, never changed, deleted once nothing uses them.

use novacron_model::catalogue;
use novacron_model::image::{ImageSource, ImageSpec, ImageState, ImageStatus};
use novacron_model::request::Draft;
use novacron_model::task::Action;
use novacron_model::{Error, Image, Object, Result, key};
use novacron_store::{Precondition, Snapshot, Txn, object};
use uuid::Uuid;

use crate::admission::{
    Admitted, DeleteOptions, Home, Request, Resource, check_alive, check_notes, fixed,
    kept_by_project, named, rewrite, unchanged_record,
};
use crate::index::{self, Row, row};
use crate::journal::called;
use crate::plan::Plan;
use crate::{placing, reference, task};

const URL_BYTES_MAX: usize = 2048;
const OS_BYTES_MAX: usize = 128;

impl Resource for Image {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        let mut txn = Txn::new();
        let (_, task) = import(request, &mut txn, draft)?;
        Ok(Admitted::task(txn, task))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        check_alive(old)?;
        let changed = [
            ("spec.source", old.spec.source != new.spec.source),
            ("spec.sha256", old.spec.sha256 != new.spec.sha256),
            ("spec.pool", old.spec.pool != new.spec.pool),
        ];
        if let Some((field, _)) = changed.iter().find(|(_, changed)| *changed) {
            return Err(fixed(field).hint("import another image"));
        }
        check(&new.spec)?;
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        if old.meta.deleting.is_some() {
            return task::again(request, old, Action::Delete);
        }
        let mut txn = Txn::new();
        used_by_none(request, &mut txn, old)?;
        let task = placing::begin_deletion(request, &mut txn, old)?;
        Ok(Admitted::task(txn, task))
    }
}

/// Adds an image, and the task that watches its import. One of the same name whose import failed
/// is begun anew, for those who wait for it.
pub(crate) fn import(
    request: &mut Request<'_>,
    txn: &mut Txn,
    draft: Draft<Image>,
) -> Result<(Object<Image>, Uuid)> {
    check(&draft.spec)?;
    let home = request.home()?;
    reference::pool(request.at, txn, &draft.spec.pool, "spec.pool")?;
    let found = object::get::<Image>(request.at, Some(home.uid), &draft.meta.name)?;
    let failed = found.filter(|found| found.status.state == ImageState::Failed);
    let image = if let Some(failed) = failed {
        renew(request, txn, &home, &failed, draft)?
    } else {
        let meta = request.new_meta::<Image>(txn, draft.meta)?;
        let image = Object::<Image> { meta, spec: draft.spec, status: ImageStatus::default() };
        request.put_new(txn, &image, rows(&home, &image.spec))?;
        image
    };
    let task = task::begin(request, txn, Action::Import, &image, 0)?;
    Ok((image, task))
}

/// Nothing uses the image or waits for it, and nothing does before the transaction is applied.
pub(crate) fn used_by_none(
    request: &Request<'_>,
    txn: &mut Txn,
    image: &Object<Image>,
) -> Result<()> {
    let users = request.at.indexed(index::IMAGE, &image.meta.uid.to_string(), "");
    if !users.is_empty() {
        let (name, list) = (image.name(), named(&users));
        return Err(Error::conflict(format!("image \"{name}\" is used by {list}"))
            .hint("delete them first"));
    }
    let (key, value) = row(index::IMAGE, &image.meta.uid);
    txn.preconditions.push(Precondition::NoIndex(key, value));
    Ok(())
}

fn rows(home: &Home, spec: &ImageSpec) -> Vec<Row> {
    vec![kept_by_project(home), row(index::POOL, &spec.pool)]
}

/// Begins a failed import anew, under the uid that its users know. It has left no file behind.
fn renew(
    request: &Request<'_>,
    txn: &mut Txn,
    home: &Home,
    failed: &Object<Image>,
    draft: Draft<Image>,
) -> Result<Object<Image>> {
    let mut meta = failed.meta.clone();
    (meta.labels, meta.annotations) = (draft.meta.labels, draft.meta.annotations);
    check_notes(&meta)?;
    meta.generation += 1;
    let image = Object::<Image> { meta, spec: draft.spec, status: ImageStatus::default() };
    let rows = rows(home, &image.spec);
    rewrite(txn, request.at, Some(home.uid), failed, &image, Some(rows))?;
    let family = key::object::<Image>(Some(home.uid), failed.name());
    for record in request.at.family(&family) {
        if record.key.section().is_some() {
            unchanged_record(txn, request.at, record.key.as_str());
            txn.deletes.push(record.key.clone());
        }
    }
    let about = image.reference();
    let text = format!("the import of {} begins anew", called(&about));
    request.note(txn, "image.renewed", &about, text)?;
    Ok(image)
}

/// Gives a new image its node; removes a deleted one when its file is gone.
pub(crate) fn plan(at: &Snapshot, family: &str) -> Result<Plan> {
    let Some(image) = object::by_key::<Image>(at, family)? else { return Ok(Plan::default()) };
    let location = image.status.location.as_ref();
    if image.meta.deleting.is_some() {
        let txn = placing::finalise(at, &image, family, location)?;
        return Ok(txn.map(Plan::commit).unwrap_or_default());
    }
    if location.is_some() {
        return Ok(Plan::default());
    }
    let Some(node) = placing::emptiest_node(at) else { return Ok(Plan::default()) };
    let mut txn = Txn::new();
    placing::locate(&mut txn, at, &image, family, &node)?;
    Ok(Plan::commit(txn))
}

fn check(spec: &ImageSpec) -> Result<()> {
    match &spec.source {
        ImageSource::Url(url) => check_url(url)?,
        ImageSource::Catalogue(name) if !catalogue::is_entry(name) => {
            let message = format!("\"{name}\" is no name of a catalogue's entry");
            return Err(Error::invalid("spec.source.catalogue", message)
                .hint("such names are debian/12 and ubuntu/24.04"));
        }
        ImageSource::Catalogue(_) | ImageSource::Upload {} => (),
    }
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if spec.sha256.as_deref().is_some_and(|sum| sum.len() != 64 || !hex(sum)) {
        return Err(Error::invalid("spec.sha256", "a SHA-256 has 64 lower-case hex digits"));
    }
    if spec.os.len() > OS_BYTES_MAX || spec.os.chars().any(char::is_control) {
        let message = format!("spec.os is one line of up to {OS_BYTES_MAX} bytes");
        return Err(Error::invalid("spec.os", message));
    }
    Ok(())
}

fn check_url(url: &str) -> Result<()> {
    let field = "spec.source.url";
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(Error::invalid(field, "the URL of an image starts with http:// or https://"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let odd = |c: char| c.is_control() || c.is_whitespace();
    if authority.is_empty() || url.chars().any(odd) || url.len() > URL_BYTES_MAX {
        return Err(Error::invalid(field, "this is not a URL that an image can be fetched from"));
    }
    if authority.contains('@') {
        return Err(Error::invalid(field, "a URL with a user name or password is not taken")
            .hint("download the image and import the file"));
    }
    Ok(())
}
