//! One line of an import file: read, checked, and told apart from the lines before it. What is
//! wrong is told by line; a bad line takes nothing else with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_path_to_error::Segment;
use utoipa::ToSchema;

use super::category::CategoryPath;
use super::content::{Content, Fault, ProductInput};
use super::text::is_line;

/// The longest line, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// What a line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Nothing: it is blank.
    Blank,
    /// Give a category its name.
    Category {
        /// Which.
        path: CategoryPath,
        /// The name.
        name: String,
    },
    /// Make this product, or make the one with this handle say this.
    Product(Box<Content>),
}

/// A line that names a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryInput {
    /// Its path.
    #[schema(max_length = 200, examples("gifts/candles"))]
    pub category: String,
    /// Its name.
    #[schema(min_length = 1, max_length = 120, examples("Candles"))]
    pub name: String,
}

/// Something wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineFault {
    /// The line, counted from 1.
    pub line: u64,
    /// Where in it, as a JSON pointer: `/variants/0/sku`; empty for the whole line.
    pub at: String,
    /// What, for whoever wrote it.
    pub why: String,
}

impl LineFault {
    /// This is wrong in that line.
    pub fn new(line: u64, fault: Fault) -> Self {
        Self { line, at: fault.at, why: fault.why }
    }
}

/// Reads one line.
///
/// # Errors
/// Everything that is wrong with it. If it is not even the right shape, that alone.
pub fn read_line(bytes: &[u8]) -> Result<Line, Vec<Fault>> {
    let whole = |why: String| vec![Fault::new("", why)];
    if bytes.len() > MOST_BYTES {
        return Err(whole(format!("must be at most {MOST_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| whole("must be UTF-8".into()))?;
    // Editors on Windows put a mark before the first line.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(Line::Blank);
    }
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)
        .map_err(|error| whole(format!("is not a JSON object: {error}")))?;
    if fields.contains_key("category") {
        let input: CategoryInput = shaped(text)?;
        return category_line(input);
    }
    let input: ProductInput = shaped(text)?;
    Ok(Line::Product(Box::new(input.check()?)))
}

fn shaped<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Vec<Fault>> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let at = pointer(error.path());
        vec![Fault::new(at, error.into_inner().to_string())]
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let steps = path.iter().map(|step| match step {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => format!("/{key}"),
        Segment::Unknown => String::new(),
    });
    steps.collect()
}

/// The line that names a category, if nothing is wrong with it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn category_line(input: CategoryInput) -> Result<Line, Vec<Fault>> {
    let mut faults = Vec::new();
    if !is_line(&input.name, 120) {
        faults.push(Fault::new("/name", "must be one readable line of at most 120 characters"));
    }
    let path = input.category.parse::<CategoryPath>();
    match path {
        Ok(path) if faults.is_empty() => {
            Ok(Line::Category { path, name: input.name.trim().to_owned() })
        }
        Ok(_) => Err(faults),
        Err(why) => {
            faults.push(Fault::new("/category", why));
            Err(faults)
        }
    }
}

/// What earlier lines of the same file have laid claim to, so that a file cannot contradict itself.
#[derive(Debug, Default)]
pub struct Seen {
    handles: BTreeMap<String, u64>,
    skus: BTreeMap<String, u64>,
}

impl Seen {
    /// Notes what the line's product claims.
    ///
    /// # Errors
    /// What an earlier line has claimed already; then nothing is noted.
    pub fn claim(&mut self, line: u64, content: &Content) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        if let Some(first) = self.handles.get(&content.handle) {
            faults.push(Fault::new(
                "/handle",
                format!("{} is in line {first} already", content.handle),
            ));
        }
        for (n, sku) in content.skus().enumerate() {
            if let Some(first) = self.skus.get(sku.as_str()) {
                faults.push(Fault::new(
                    format!("/variants/{n}/sku"),
                    format!("{sku} is in line {first} already"),
                ));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.handles.insert(content.handle.clone(), line);
        self.skus.extend(content.skus().map(|sku| (sku.as_str().to_owned(), line)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"handle":"a","name":"A","variants":[{"sku":"A-1","tax_class":"standard","weight_g":1,"prices":[{"price":{"amount_minor":1,"currency":"EUR"}}]}]}"#;

    fn fault(line: &str) -> (String, String) {
        let fault = read_line(line.as_bytes()).unwrap_err().remove(0);
        (fault.at, fault.why)
    }

    fn product(line: &str) -> Content {
        match read_line(line.as_bytes()).unwrap() {
            Line::Product(content) => *content,
            other @ (Line::Blank | Line::Category { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_product_a_category_or_blank() {
        assert_eq!(product(GOOD).handle, "a");
        assert_eq!(product(&format!("\u{feff}{GOOD}\r\n")).handle, "a");
        assert_eq!(read_line(b"  \r\n"), Ok(Line::Blank));
        let category =
            read_line(br#"{"category":"gifts/candles","name":"Candles & more"}"#).unwrap();
        let path = "gifts/candles".parse().unwrap();
        assert_eq!(category, Line::Category { path, name: "Candles & more".into() });
    }

    #[test]
    fn a_fault_names_its_place_in_the_line() {
        let (at, why) = fault(&GOOD.replace("\"weight_g\":1", "\"weight_g\":\"1\""));
        assert_eq!(at, "/variants/0/weight_g");
        assert!(why.contains("expected i64"), "{why}");
        assert_eq!(fault(&GOOD.replace("tax_class", "tax_clas")).0, "/variants/0/tax_clas");
        assert_eq!(
            fault(&GOOD.replace("\"amount_minor\":1", "\"amount_minor\":1.5")).0,
            "/variants/0/prices/0/price/amount_minor"
        );
        assert_eq!(
            fault(&GOOD.replace("\"name\":\"A\",", "\"name\":\"A\",\"is_admin\":true,")).0,
            "/is_admin"
        );
        assert_eq!(fault(r#"{"category":"a","name":"A","x":1}"#).0, "/x");
    }

    #[test]
    fn what_is_not_json_is_told_and_not_guessed_at() {
        for bad in ["{", "[]", "null", "\"x\"", "{\"handle\":\"a\"}}", "{\"a\":NaN}"] {
            assert!(fault(bad).1.starts_with("is not a JSON object"), "{bad}");
        }
        assert_eq!(read_line(&[0xff, 0xfe]).unwrap_err(), [Fault::new("", "must be UTF-8")]);
        assert!(read_line(&vec![b' '; MOST_BYTES + 1]).is_err());
    }

    #[test]
    fn a_file_cannot_name_a_handle_or_a_sku_twice() {
        let mut seen = Seen::default();
        seen.claim(1, &product(GOOD)).unwrap();
        let again = seen.claim(7, &product(GOOD)).unwrap_err();
        assert_eq!(
            again,
            [
                Fault::new("/handle", "a is in line 1 already"),
                Fault::new("/variants/0/sku", "A-1 is in line 1 already"),
            ]
        );
        // A refused line lays claim to nothing.
        let other = GOOD.replace("\"a\"", "\"b\"");
        seen.claim(8, &product(&other)).unwrap_err();
        seen.claim(9, &product(&other.replace("A-1", "B-1"))).unwrap();
    }

    #[test]
    fn the_demo_shop_has_no_fault() {
        let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        let bytes = std::fs::read(format!("{here}/../../demo/products.jsonl")).unwrap();
        let mut seen = Seen::default();
        let mut products = 0;
        for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            match read_line(line).unwrap_or_else(|faults| panic!("line {number}: {faults:?}")) {
                Line::Blank | Line::Category { .. } => {}
                Line::Product(content) => {
                    seen.claim(number, &content).unwrap();
                    products += 1;
                }
            }
        }
        assert!(products > 18_000, "{products}");
    }
}
