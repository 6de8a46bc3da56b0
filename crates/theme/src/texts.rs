//! The words of one language: a file of texts for each part.

use std::collections::BTreeMap;

/// The texts of one language, by key.
#[derive(Debug, Clone)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Reads a file of texts: a flat JSON object.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(Self)
    }

    /// The text of a key with `{names}` put in; nothing put in is itself looked at again. With a
    /// `count` of one, the text of `KEY.one`, where there is one.
    pub fn get(&self, key: &str, values: &BTreeMap<String, String>) -> Option<String> {
        let is_one = values.get("count").is_some_and(|count| count == "1");
        let one = if is_one { self.0.get(&format!("{key}.one")) } else { None };
        let mut rest = one.or_else(|| self.0.get(key))?.as_str();
        let mut text = String::with_capacity(rest.len() + 32);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            text.push_str(before);
            text.push_str(values.get(name)?);
            rest = after;
        }
        text.push_str(rest);
        Some(text)
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_put_into_a_text_is_not_looked_at_again() {
        let texts = Texts::read(r#"{"a": "Hello {name}!"}"#).unwrap();
        let given = values(&[("name", "{name} {{7*7}}")]);
        assert_eq!(texts.get("a", &given).unwrap(), "Hello {name} {{7*7}}!");
        assert_eq!(texts.get("a", &BTreeMap::new()), None);
        assert_eq!(texts.get("b", &given), None);
    }

    #[test]
    fn one_is_counted_in_a_text_of_its_own() {
        let texts = Texts::read(r#"{"n": "{count} pieces", "n.one": "One piece", "m": "{count}"}"#)
            .unwrap();
        assert_eq!(texts.get("n", &values(&[("count", "1")])).unwrap(), "One piece");
        assert_eq!(texts.get("n", &values(&[("count", "11")])).unwrap(), "11 pieces");
        assert_eq!(texts.get("m", &values(&[("count", "1")])).unwrap(), "1");
    }
}
