//! Copying a file that its owner writes into, cuts or leaves, with the moment in the hand of the test.

use std::fs;
use std::io::Write;

use tempfile::TempDir;

use super::*;

const MIB: usize = 1 << 20;
/// Three steps.
const SIZE: usize = 24 * MIB;

struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), vec![7; SIZE]).unwrap();
        Self { dir }
    }

    fn file(&self) -> File {
        File::options().read(true).write(true).open(self.dir.path().join("file")).unwrap()
    }

    /// Copies the file; `reached` is called on the way.
    fn copy(&self, hash: bool, reached: Reached<'_>) -> Result<Option<String>> {
        let file = self.file();
        let before = regular(&file)?;
        Copy::begin(file, before, &self.dir.path().join("copy"), hash)?.run(reached)
    }

    fn copied(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("copy")).unwrap()
    }
}

#[test]
fn the_sum_is_that_of_the_copy() {
    let scene = Scene::new();
    // It changes where it was read already, and its owner hides that.
    let at = scene.file().metadata().unwrap().modified().unwrap();
    let swap = |_| {
        scene.file().write_all(b"other").unwrap();
        scene.file().set_modified(at).unwrap();
        true
    };
    let sum = scene.copy(true, &swap).unwrap().unwrap();
    assert!(scene.copied() == vec![7; SIZE]);
    assert_eq!(sum, hex(&Sha256::digest(vec![7; SIZE])));
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_refused() {
    let scene = Scene::new();
    let cut = |_| scene.file().set_len(9 * MIB as u64).is_ok();
    let refused = scene.copy(false, &cut).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (Code::Conflict, changed().message.as_str())
    );
}

#[test]
fn a_file_that_is_written_or_grows_while_it_is_read_is_refused() {
    let scene = Scene::new();
    let write = |_| {
        // A later time than any that the file system's clock may have given before.
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        scene.file().write_all(b"other").unwrap();
        scene.file().set_modified(later).is_ok()
    };
    assert_eq!(scene.copy(false, &write).unwrap_err().code, Code::Conflict);
    let scene = Scene::new();
    let grow = |_| scene.file().set_len(SIZE as u64 + 1).is_ok();
    assert_eq!(scene.copy(false, &grow).unwrap_err().code, Code::Conflict);
}

#[test]
fn a_copy_ends_with_whoever_waits_for_it() {
    let scene = Scene::new();
    let refused = scene.copy(true, &|_| false).unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    assert!(scene.copied().len() <= SIZE / 2);
}

#[test]
fn holes_are_found_and_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut content = vec![0; SIZE];
    content[5 * MIB..6 * MIB].fill(7);
    content[10 * MIB + 3..10 * MIB + 9].fill(8);
    // One with holes, one whose zeros were written.
    let path = dir.path().join("file");
    for holes in [true, false] {
        let file = File::create(&path).unwrap();
        if holes {
            file.set_len(SIZE as u64).unwrap();
            file.write_all_at(&content[5 * MIB..6 * MIB], 5 * MIB as u64).unwrap();
            file.write_all_at(&content[10 * MIB..11 * MIB], 10 * MIB as u64).unwrap();
        } else {
            fs::write(&path, &content).unwrap();
        }
        let file = File::open(&path).unwrap();
        let before = regular(&file).unwrap();
        let copy = dir.path().join(if holes { "one" } else { "two" });
        let sum = Copy::begin(file, before, &copy, true).unwrap().run(&|_| true).unwrap();
        assert!(fs::read(&copy).unwrap() == content);
        assert_eq!(sum.unwrap(), hex(&Sha256::digest(&content)));
        assert!(fs::metadata(&copy).unwrap().blocks() * SECTOR <= 2 * MIB as u64);
    }
}
