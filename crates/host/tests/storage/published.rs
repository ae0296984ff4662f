//! Images of the catalogue: fetched from their publisher, with its checksum.

use novacron_host::catalogue::Catalogue;
use novacron_host::image::{Published, Source, Sum};
use novacron_model::{Code, Error};
use sha2::{Digest, Sha512};
use uuid::Uuid;

use crate::image::{assert_untouched, content, importer, quiet, sha256};
use crate::tool::{Place, noise, place};
use crate::web::{State, Web};

fn sha512(content: &[u8]) -> String {
    let hex = |text, byte| format!("{text}{byte:02x}");
    Sha512::digest(content).iter().fold(String::new(), hex)
}

/// A catalogue with `a/1`, whose sums this server has.
async fn catalogue(place: &Place, image: &Web, sums: String) -> Catalogue {
    let sums = Web::start(State::new(sums.into_bytes())).await;
    let path = place.dir.path().join("catalogue.toml");
    let (url, sums) = (image.url("/image"), sums.url("/image"));
    let text =
        format!("format = 1\n[[image]]\nname = \"a/1\"\nurl = \"{url}\"\nsums = \"{sums}\"\n");
    std::fs::write(&path, text).unwrap();
    Catalogue::at(path.to_str().unwrap())
}

#[tokio::test]
async fn a_published_image_has_its_publishers_checksum() {
    let place = place().await;
    let image = Web::start(State::new(noise(8192))).await;
    for sum in [sha256(&noise(8192)), sha512(&noise(8192))] {
        let catalogue = catalogue(&place, &image, format!("{sum}  image\n")).await;
        let published = catalogue.resolve("a/1").await.unwrap();
        let source = Source::Published(published);
        let files = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await.unwrap();
        assert!(content(&place, &files) == noise(8192));
    }
}

#[tokio::test]
async fn another_checksum_leaves_nothing() {
    let place = place().await;
    let image = Web::start(State::new(noise(8192))).await;
    for sum in [sha256(b"other"), sha512(b"other")] {
        let catalogue = catalogue(&place, &image, format!("{sum}  image\n")).await;
        let source = Source::Published(catalogue.resolve("a/1").await.unwrap());
        let failed = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await;
        let error = failed.unwrap_err();
        assert!(error.message.contains("its publisher says"), "{error}");
        assert_untouched(&place);
    }
    let unnamed = catalogue(&place, &image, format!("{}  y.img\n", sha256(b""))).await;
    let error = unnamed.resolve("a/1").await.unwrap_err();
    assert!(error.message.contains("do not name a/1"), "{error}");
    assert_eq!(unnamed.resolve("a/2").await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_publisher_that_is_not_reached_is_told_with_the_way_out() {
    let place = place().await;
    let wanted =
        "cannot reach the source of a/1; import a file: novacron image import FILE --name a-1";
    let gone = |error: Error| assert_eq!(error.message, wanted);
    // nobody listens on a port that was just given back
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let path = place.dir.path().join("c.json");
    let text = format!(
        r#"{{"format": 1, "image": [{{"name": "a/1", "url": "{nowhere}/x", "sums": "{nowhere}/s"}}]}}"#
    );
    std::fs::write(&path, text).unwrap();
    gone(Catalogue::at(path.to_str().unwrap()).resolve("a/1").await.unwrap_err());
    gone(Catalogue::at(&nowhere).resolve("a/1").await.unwrap_err());
    let listed = Catalogue::at(&nowhere).entries().await.unwrap_err();
    assert!(listed.message.contains("127.0.0.1"), "{listed}");
    // and one that has the sums, and then not the image
    let (name, sum) = ("a/1".to_owned(), Sum::Sha256(sha256(b"")));
    let source = Source::Published(Published { name, url: format!("{nowhere}/x"), sum });
    let failed = importer(&place).import(Uuid::now_v7(), source, None, &quiet).await;
    gone(failed.unwrap_err());
    assert_untouched(&place);
}

#[tokio::test]
async fn a_mirror_has_the_catalogue() {
    let text = format!(
        "format = 1\n[[image]]\nname = \"a/1\"\nurl = \"http://h/x\"\nsha256 = \"{}\"\n",
        sha256(b"")
    );
    let web = Web::start(State::new(text.into_bytes())).await;
    let mirror = Catalogue::at(&web.url("/image"));
    assert_eq!(mirror.entries().await.unwrap()[0].name, "a/1");
    assert_eq!(mirror.resolve("a/1").await.unwrap().sum, Sum::Sha256(sha256(b"")));
}
