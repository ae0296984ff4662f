//! Firmware and TPM on the command line.

use std::path::PathBuf;

use novacron_model::Result;
use novacron_model::vm::Firmware;
use serde_json::json;

use super::super::super::Machine;
use super::{Line, text};

/// UEFI code, shared and read-only, and the machine's own variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct FirmwareFiles {
    pub code: PathBuf,
    pub variables: PathBuf,
}

impl Line {
    pub(super) fn firmware(
        &mut self,
        machine: &Machine,
        files: Option<&FirmwareFiles>,
        tpm: Option<i32>,
    ) -> Result<()> {
        let mut kind = "q35,usb=off".to_owned();
        if let Some(files) = files {
            self.flash("firmware", text(&files.code)?, true);
            self.flash("variables", text(&files.variables)?, false);
            kind += ",pflash0=firmware,pflash1=variables";
        }
        if machine.firmware == Firmware::UefiSecure {
            // Only code in system management mode may write the variables.
            kind += ",smm=on";
            self.option("-global", "driver=cfi.pflash01,property=secure,value=on");
            self.option("-global", "ICH9-LPC.disable_s3=1");
        }
        self.option("-machine", kind);
        if let Some(socket) = tpm {
            self.option("-chardev", format!("socket,id=tpm,fd={socket}"));
            self.option("-tpmdev", "emulator,id=tpm0,chardev=tpm");
            self.json("-device", json!({"driver": "tpm-crb", "tpmdev": "tpm0"}));
        }
        Ok(())
    }

    fn flash(&mut self, node: &str, path: &str, read_only: bool) {
        self.json(
            "-blockdev",
            json!({
                "node-name": node,
                "driver": "raw",
                "read-only": read_only,
                "file": {"driver": "file", "filename": path, "read-only": read_only},
            }),
        );
    }
}
