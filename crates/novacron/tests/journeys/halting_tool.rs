//! A `qemu-img` that stands still where a test wants it to, so that a daemon dies in a known step.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::daemon::{alive, eventually, host, listed};

/// `armed` says which call is to halt: before or after its work, the how manieth, and words that its
/// command line has. Calls and halts are marked by folders: under the daemon's limits the program
/// may not write a file.
const SCRIPT: &str = r#"#!/bin/sh
halt() { mkdir "$dir/halted-$$"; exec sleep 600; }
if [ -e "$dir/armed" ]; then
    { read -r moment; read -r nth; read -r words; } < "$dir/armed"
    case " $* " in *" $words "*)
        n=1
        while ! mkdir "$dir/call-$n" 2> /dev/null; do n=$((n + 1)); done
        if [ "$n" = "$nth" ]; then
            [ "$moment" = Before ] && halt
            "$real" "$@"
            halt
        fi ;;
    esac
fi
exec "$real" "$@"
"#;

#[derive(Debug, Clone, Copy)]
pub enum Moment {
    Before,
    After,
}

pub struct HaltingTool(PathBuf);

impl HaltingTool {
    /// In the folder `tools`, which is made in `dir`.
    pub fn new(dir: &Path) -> Self {
        let tools = dir.join("tools");
        fs::create_dir(&tools).unwrap();
        let real = host("sh", &["-c", "command -v qemu-img"]);
        let places = format!("dir={}\nreal={}\n", tools.display(), real.trim());
        let (shebang, body) = SCRIPT.split_once('\n').unwrap();
        let program = tools.join("qemu-img");
        fs::write(&program, format!("{shebang}\n{places}{body}")).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self(tools)
    }

    /// A search path on which it comes first.
    pub fn search_path(&self) -> String {
        format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap())
    }

    /// From now on the `nth` call with these words halts before or after its work.
    pub fn halt(&self, moment: Moment, words: &str, nth: u32) {
        fs::write(self.0.join("armed"), format!("{moment:?}\n{nth}\n{words}\n")).unwrap();
    }

    fn halted(&self) -> Option<u32> {
        let names = listed(&self.0);
        names.iter().find_map(|name| name.strip_prefix("halted-")?.parse().ok())
    }

    /// Waits until it stands still; its process.
    pub fn stands(&self) -> u32 {
        eventually("a halt of qemu-img", || self.halted().is_some());
        self.halted().unwrap()
    }

    /// What halted goes with the daemon that has called it; calls from now on run through.
    pub fn let_go(&self) {
        if let Some(pid) = self.halted() {
            eventually("the end of the dead daemon's qemu-img", || !alive(pid));
        }
        fs::remove_file(self.0.join("armed")).unwrap();
        for name in listed(&self.0) {
            if name.starts_with("call-") || name.starts_with("halted-") {
                fs::remove_dir(self.0.join(name)).unwrap();
            }
        }
    }
}
