//! Entries of the catalogue in requests: whoever names one first imports it with the request, under
//! the name that [`image_name`] gives. Stored are names of images alone.

use novacron_model::catalogue::{CatalogueEntry, ImageName, image_name};
use novacron_model::image::{ImageSource, ImageSpec, ImageState};
use novacron_model::request::{Draft, DraftMeta};
use novacron_model::{Error, Image, Name, Object, Result, pool};
use novacron_store::{Txn, object};

use crate::admission::Request;
use crate::image;

/// What a request knows of the catalogue.
#[derive(Debug, Default)]
pub struct Published {
    /// What the catalogue has; `None`: not asked, or it cannot be read, which the node that imports
    /// finds out and says.
    pub entries: Option<Vec<CatalogueEntry>>,
    /// Images that the request's transaction imports.
    brought: Vec<Object<Image>>,
}

impl Published {
    pub(crate) fn brought(&self, name: &str) -> Option<&Object<Image>> {
        self.brought.iter().find(|image| image.name() == name)
    }
}

/// Turns an entry into the name of its image, which is imported with `txn` unless it is there or
/// on its way. One that failed is tried again.
pub(crate) fn settle(
    request: &mut Request<'_>,
    txn: &mut Txn,
    name: &mut Option<ImageName>,
    field: &str,
) -> Result<()> {
    let Some(entry) = name.as_ref().and_then(ImageName::entry).map(str::to_owned) else {
        return Ok(());
    };
    let image = Name::new(image_name(&entry)).map_err(|error| error.at(field))?;
    *name = Some(image.clone().into());
    let found = object::get::<Image>(request.at, Some(request.home()?.uid), image.as_str())?;
    let failed = found.as_ref().is_none_or(|found| found.status.state == ImageState::Failed);
    if !failed || request.published.brought(image.as_str()).is_some() {
        return Ok(());
    }
    let os = os_of(request, &entry, field)?;
    let meta = DraftMeta { name: image.to_string(), ..DraftMeta::default() };
    let pool = Name::new(pool::DEFAULT)?;
    let spec = ImageSpec { source: ImageSource::Catalogue(entry), sha256: None, pool, os };
    let (image, _) = image::import(request, txn, Draft { meta, spec })?;
    request.published.brought.push(image);
    Ok(())
}

/// What the catalogue says is in an entry.
fn os_of(request: &Request<'_>, entry: &str, field: &str) -> Result<String> {
    let Some(entries) = &request.published.entries else { return Ok(String::new()) };
    let found = entries.iter().find(|found| found.name == entry);
    found.map(|found| found.os.clone()).ok_or_else(|| {
        Error::invalid(field, format!("the catalogue has no \"{entry}\""))
            .hint("`novacron image catalogue` lists what there is")
    })
}
