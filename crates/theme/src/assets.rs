//! What pages load beside themselves: style sheets, scripts, pictures. Each has an address with the
//! hash of its content in it, so that browsers may keep it for ever.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::files::Theme;

/// The assets of one part of a theme.
#[derive(Debug, Clone)]
pub struct Assets {
    /// What all their addresses begin with.
    base: String,
    by_name: BTreeMap<String, Asset>,
}

/// A file that pages load.
#[derive(Debug, Clone)]
pub struct Asset {
    /// What it holds.
    pub content: Vec<u8>,
    /// Its media type.
    pub media_type: &'static str,
    /// The first half of the SHA-256 of its content, in hexadecimal.
    pub hash: String,
}

impl Assets {
    /// Those of `part`, at addresses that begin with `base`.
    pub fn of(theme: &Theme, part: &str, base: &str) -> Self {
        let mut by_name = BTreeMap::new();
        for (name, content) in theme.files(part) {
            let Some(media_type) = media_type(name) else { continue };
            let digest = Sha256::digest(content);
            let hash = hex::encode(&digest[..16]);
            by_name.insert(name.to_owned(), Asset { content: content.to_vec(), media_type, hash });
        }
        Self { base: base.trim_end_matches('/').to_owned(), by_name }
    }

    /// The address of the asset called `name`.
    pub fn address(&self, name: &str) -> Option<String> {
        let asset = self.by_name.get(name)?;
        Some(format!("{}/{}/{name}", self.base, asset.hash))
    }

    /// The asset called `name`, and whether `hash` is its own: whoever asks with that of another
    /// version gets this one, and may not keep it.
    pub fn get(&self, hash: &str, name: &str) -> Option<(&Asset, bool)> {
        let asset = self.by_name.get(name)?;
        Some((asset, asset.hash == hash))
    }
}

/// The media type of what browsers load; none of what they do not, such as templates and texts.
fn media_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_at_its_address_and_templates_are_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pages")).unwrap();
        std::fs::write(folder.path().join("pages/style.css"), "a{}").unwrap();
        std::fs::write(folder.path().join("pages/home.html"), "<p>").unwrap();
        let theme = Theme::load(Some(folder.path())).unwrap();
        let assets = Assets::of(&theme, "pages", "/theme/");
        let address = assets.address("style.css").unwrap();
        let [_, base, hash, name] = address.split('/').collect::<Vec<_>>()[..] else {
            panic!("{address}")
        };
        assert_eq!((base, hash.len(), name), ("theme", 32, "style.css"));
        let (asset, is_this) = assets.get(hash, name).unwrap();
        assert_eq!((asset.content.as_slice(), is_this), (b"a{}".as_slice(), true));
        assert!(!assets.get("another", name).unwrap().1);
        assert_eq!(assets.address("home.html"), None);
    }
}
