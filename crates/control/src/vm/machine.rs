//! A VM made from an image of a whole VM takes from that what its draft leaves out.

use novacron_model::image::{ImageDisk, ImageMachine};
use novacron_model::{Error, Image, Result};
use novacron_store::object;
use serde_json::{Map, Value, json};

use crate::admission::Request;

/// Fields of the spec that are taken as a whole.
const FIELDS: [&str; 9] =
    ["cpus", "memory", "preset", "firmware", "tpm", "restart", "nics", "cdroms", "notes"];

pub(super) fn fill(request: &Request<'_>, draft: &mut Value) -> Result<()> {
    let Some(name) = draft["spec"]["image"].as_str() else { return Ok(()) };
    let image = object::get::<Image>(request.at, Some(request.home()?.uid), name)?;
    let content = image.and_then(|image| image.status.content);
    let Some(machine) = content.and_then(|content| content.machine) else { return Ok(()) };
    fill_from(&machine, draft)
}

fn fill_from(machine: &ImageMachine, draft: &mut Value) -> Result<()> {
    let told = serde_json::to_value(machine)
        .map_err(|error| Error::internal(format!("the machine of an image: {error}")))?;
    merge(&mut draft["meta"]["labels"], &told["labels"]);
    let spec = &mut draft["spec"];
    for field in FIELDS {
        if spec[field].is_null() && !told[field].is_null() {
            spec[field] = told[field].clone();
        }
    }
    merge(&mut spec["cloud_init"], &told["cloud_init"]);
    let disks = disks(machine, spec["disks"].take());
    spec["disks"] = disks.into();
    if spec["boot"].is_null() {
        // Of drives that the draft replaces by others nothing is left to boot.
        let drives = [&spec["disks"], &spec["cdroms"]].map(names).concat();
        spec["boot"] = machine.boot.iter().filter(|name| drives.contains(name)).cloned().collect();
    }
    drop_absent(draft);
    Ok(())
}

/// Reaching for a missing field leaves a `null` there.
fn drop_absent(draft: &mut Value) {
    for part in ["meta", "spec"] {
        if let Value::Object(fields) = &mut draft[part] {
            fields.retain(|_, value| !value.is_null());
        }
    }
}

/// Adds the fields that are not there.
fn merge(into: &mut Value, from: &Value) {
    let Value::Object(from) = from else { return };
    if into.is_null() {
        *into = Map::new().into();
    }
    if let Value::Object(into) = into {
        for (name, value) in from {
            into.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// The image's disks, as the draft would have them, and then the draft's others.
fn disks(machine: &ImageMachine, drafted: Value) -> Vec<Value> {
    let Value::Array(mut others) = drafted else {
        return machine.disks.iter().map(|disk| disk_of(disk, None)).collect();
    };
    let mut all = Vec::new();
    for disk in &machine.disks {
        let place = others.iter().position(|other| other["name"] == disk.name.as_str());
        all.push(disk_of(disk, place.map(|place| others.remove(place))));
    }
    all.extend(others);
    all
}

fn disk_of(disk: &ImageDisk, drafted: Option<Value>) -> Value {
    let mut made = drafted.unwrap_or_else(|| json!({}));
    let mut told = json!({"name": disk.name});
    if let Some(bus) = disk.bus {
        told["bus"] = json!(bus);
    }
    merge(&mut made, &told);
    made
}

fn names(drives: &Value) -> Vec<String> {
    let drives = drives.as_array().into_iter().flatten();
    drives.filter_map(|drive| drive["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> ImageMachine {
        serde_json::from_value(json!({
            "name": "web", "labels": {"tier": "web"}, "cpus": 4, "memory": 1 << 30,
            "firmware": "uefi", "notes": "kept",
            "disks": [{"name": "root", "size": 1 << 30, "bus": "sata"}, {"name": "data", "size": 1 << 20}],
            "nics": [{"ports": [{"host": 8080, "guest": 80}]}], "cdroms": [{"name": "cd"}],
            "boot": ["cd", "root"], "cloud_init": {"hostname": "web", "ssh_keys": ["old"]},
        }))
        .unwrap()
    }

    fn filled(spec: &Value) -> Value {
        let mut draft = json!({"meta": {"name": "web2"}, "spec": spec});
        fill_from(&machine(), &mut draft).unwrap();
        draft
    }

    #[test]
    fn what_is_left_out_is_the_machines() {
        let draft = filled(&json!({"image": "web"}));
        assert_eq!(draft["meta"], json!({"name": "web2", "labels": {"tier": "web"}}));
        let spec = &draft["spec"];
        assert_eq!((&spec["cpus"], &spec["memory"]), (&json!(4), &json!(1 << 30)));
        assert_eq!((&spec["firmware"], &spec["notes"]), (&json!("uefi"), &json!("kept")));
        assert_eq!(spec["disks"], json!([{"name": "root", "bus": "sata"}, {"name": "data"}]));
        assert_eq!(spec["boot"], json!(["cd", "root"]));
        assert_eq!(spec["nics"][0]["ports"][0]["host"], 8080);
        assert_eq!(spec["cloud_init"]["hostname"], "web");
    }

    #[test]
    fn what_is_said_stays_also_when_it_is_the_default() {
        let draft = filled(&json!({
            "image": "web", "cpus": 2, "firmware": "bios", "nics": [], "cdroms": [],
            "disks": [{"name": "more", "size": 7}, {"name": "root", "size": 9, "bus": "virtio"}],
            "cloud_init": {"ssh_keys": ["new"]},
        }));
        let spec = &draft["spec"];
        assert_eq!((&spec["cpus"], &spec["firmware"]), (&json!(2), &json!("bios")));
        assert_eq!((&spec["nics"], &spec["cdroms"]), (&json!([]), &json!([])));
        assert_eq!(
            spec["disks"],
            json!([{"name": "root", "size": 9, "bus": "virtio"}, {"name": "data"},
                {"name": "more", "size": 7}])
        );
        assert_eq!(spec["boot"], json!(["root"]), "the drive is not there any more");
        assert_eq!(spec["cloud_init"], json!({"ssh_keys": ["new"], "hostname": "web"}));
    }
}
