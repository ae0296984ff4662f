//! Whatever a file holds, it is told or refused.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Detected, detect};
use crate::cloud_init::iso;

/// An honest file of each kind.
fn honest() -> &'static [PathBuf] {
    static FILES: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let (_, files) = FILES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let kinds = [
            ("qcow2", "compat=1.1"),
            ("vmdk", "subformat=monolithicSparse"),
            ("vmdk", "subformat=streamOptimized"),
            ("vhdx", "subformat=dynamic"),
        ];
        let mut files: Vec<PathBuf> = kinds
            .iter()
            .enumerate()
            .map(|(n, (format, options))| {
                let path = dir.path().join(n.to_string());
                let args = ["create", "-q", "-f", format, "-o", options, path.to_str().unwrap()];
                let made = Command::new("qemu-img").args(args).arg("1M").status().unwrap();
                assert!(made.success());
                path
            })
            .collect();
        let cd = dir.path().join("cd");
        std::fs::write(&cd, iso::image("cd", &[("a", b"b")])).unwrap();
        files.push(cd);
        (dir, files)
    });
    files
}

/// Where the formats keep what is read here.
fn place() -> impl Strategy<Value = u64> {
    let near = |at: u64| (0..256_u64).prop_map(move |n| at + n);
    prop_oneof![
        0..2048_u64,
        near(32 << 10),
        near(64 << 10),
        near(192 << 10),
        (2 << 20..(2 << 20) + 512_u64),
        ((2 << 20) + (64 << 10)..(2 << 20) + (64 << 10) + 128_u64),
        (0..4096_u64).prop_map(|n| (3 << 20) + n),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9),
        (1..9_usize).prop_map(|n| vec![0xff; n]),
        (1..9_usize).prop_map(|n| vec![0; n]),
    ]
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

#[test]
fn honest_files_are_told() {
    let told: Vec<_> = honest().iter().map(|path| detect(path).unwrap()).collect();
    assert!(matches!(
        told.as_slice(),
        [
            Detected::Qcow2(_),
            Detected::Vmdk(_),
            Detected::Vmdk(_),
            Detected::Vhdx(_),
            Detected::Iso
        ]
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_patch_and_no_cut_brings_the_parsers_down(
        which in 0..5_usize,
        patches in prop::collection::vec((place(), bytes()), 0..4),
        cut in prop::option::weighted(0.2, 0..4_u64 << 20),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::copy(&honest()[which], &path).unwrap();
        let file = open(&path);
        for (at, bytes) in patches {
            file.write_all_at(&bytes, at).unwrap();
        }
        if let Some(cut) = cut {
            file.set_len(cut).unwrap();
        }
        if let Err(error) = detect(&path) {
            prop_assert!(error.hint.is_some(), "{error}");
        }
    }
}
