//! The reference of the configuration: the documented structs themselves, and the defaults.

use std::fmt::Write as _;

use platform::config::effective;

use crate::Failure;
use crate::config::Config;

/// Where each section is defined.
const SECTIONS: &[(&str, &str)] = &[
    ("The program", include_str!("../config.rs")),
    ("Servers beside it", include_str!("../config/servers.rs")),
    ("`nats`", include_str!("../../../platform/src/bus/nats.rs")),
    ("`http.limits`", include_str!("../../../platform/src/http/limits.rs")),
    ("`gateway.limits`", include_str!("../../../platform/src/http/client/limits.rs")),
    ("`catalogue`", include_str!("../../../catalogue/src/config.rs")),
    ("`order`", include_str!("../../../order/src/config.rs")),
    ("`warehouse`", include_str!("../../../warehouse/src/config.rs")),
    ("`payment`", include_str!("../../../payment/src/config.rs")),
    ("`notification`", include_str!("../../../notification/src/config.rs")),
];

/// The document.
///
/// # Errors
/// When the defaults cannot be written as TOML.
pub fn document() -> Result<String, Failure> {
    let mut text = String::from(
        "# Configuration\n\nOne file, `kontor.toml`, in the folder where `kontor` is started or named with \
         `--config`. Every key can be set by a variable `KONTOR_SECTION__KEY`, two underscores between section \
         and key, which wins over the file. A key that nobody knows, a value of the wrong type and a weak secret \
         are errors at the start that name key, value and source. `kontor config` prints what is in effect.\n\n\
         Generated from the code; do not edit.\n",
    );
    for (name, source) in SECTIONS {
        let _ = write!(text, "\n## {name}\n");
        for documented in structs(source) {
            let _ = write!(
                text,
                "\n### {}\n\n{}\n\n| key | type | what it is |\n|---|---|---|\n",
                documented.name, documented.docs
            );
            for (key, kind, docs) in documented.keys {
                let _ = writeln!(text, "| `{key}` | `{}` | {docs} |", kind.replace('|', "\\|"));
            }
        }
    }
    let _ = write!(text, "\n## Defaults\n\n```toml\n{}```\n", effective(&Config::default())?);
    Ok(text)
}

struct Documented {
    name: String,
    docs: String,
    keys: Vec<(String, String, String)>,
}

/// The public structs of a file that configuration is read into, with their documented fields.
fn structs(source: &str) -> Vec<Documented> {
    let (mut found, mut docs, mut open) = (Vec::new(), Vec::new(), None::<Documented>);
    let (mut is_read, mut skipped) = (false, false);
    for line in source.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim().to_owned());
        } else if line.starts_with("#[derive") {
            is_read = line.contains("Deserialize");
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = rest.trim_end_matches(" {").to_owned();
            let documented = Documented { name, docs: docs.join(" "), keys: Vec::new() };
            open = (is_read && rest.ends_with('{')).then_some(documented);
            docs.clear();
        } else if line == "}" {
            found.extend(open.take());
        } else if line == "#[serde(skip)]" {
            skipped = true;
        } else if let (Some(field), Some(documented)) = (line.strip_prefix("pub "), &mut open) {
            let field = field.trim_end_matches(',').split_once(": ");
            if let (Some((key, kind)), false) = (field, std::mem::take(&mut skipped)) {
                documented.keys.push((key.to_owned(), kind.to_owned(), docs.join(" ")));
            }
            docs.clear();
        } else if !line.starts_with("#[") {
            docs.clear();
        }
    }
    found
}
