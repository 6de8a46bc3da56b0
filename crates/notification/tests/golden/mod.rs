//! The events as they were once written, which every version has to read.

use std::fs;
use std::path::{Path, PathBuf};

use contracts::{Envelope, OrderId};
use serde_json::{Value, json};

/// One event of every kind there is, as it was once written, about this order.
pub fn one_of_each(order: OrderId) -> Vec<Envelope> {
    // Where it runs, not where it was built: checkouts share what is built.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let golden = Path::new(&here).join("../contracts/golden");
    let mut kinds: Vec<_> =
        fs::read_dir(golden).unwrap().map(|kind| kind.unwrap().path()).collect();
    kinds.sort();
    let event = |kind: PathBuf| {
        let text = fs::read_to_string(kind.join("1.json")).unwrap();
        let mut event: Value = serde_json::from_str(&text).unwrap();
        if let Some(about) = event["data"].get_mut("order_id") {
            *about = json!(order);
        }
        Envelope::from_json(&event.to_string()).unwrap()
    };
    kinds.into_iter().map(event).collect()
}
