//! What a configuration file and the environment may say, and how they are told when it is wrong.

use std::path::PathBuf;

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    http: Http,
    mail: Option<Mail>,
    key: Option<Secret>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Http {
    listen: String,
    body_bytes: u64,
    kind: Kind,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fast,
    Careful,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    server: String,
    password: Credential,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into(), body_bytes: 1024, kind: Kind::Careful }
    }
}

struct File(PathBuf, tempfile::TempDir);

fn file(text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kontor.toml");
    std::fs::write(&path, text).unwrap();
    File(path, folder)
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let File(path, _folder) = &file(text);
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    load_with(Some(path), variables).map_err(|error| match error {
        ConfigError::Wrong(ref wrong) => wrong
            .iter()
            .map(|wrong| wrong.to_string().replace(&path.display().to_string(), "kontor.toml"))
            .collect(),
        ConfigError::Unreadable { .. } | ConfigError::Unwritable(_) => vec![error.to_string()],
    })
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let config = read(
        "[http]\nlisten = \"0.0.0.0:80\"\nbody_bytes = 1\n",
        &[
            ("KONTOR_HTTP__BODY_BYTES", "2"),
            ("KONTOR_MAIL__SERVER", "localhost:25"),
            ("KONTOR_MAIL__PASSWORD", "x y = z"),
            ("KONTOR_PORT", "tcp://10.0.0.1:80"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let http = Http { listen: "0.0.0.0:80".into(), body_bytes: 2, kind: Kind::Careful };
    let mail = Mail { server: "localhost:25".into(), password: Credential::new("x y = z") };
    assert_eq!(config, Config { http, mail: Some(mail), key: None });
    assert_eq!(load_with::<Config>(None, []).unwrap(), Config::default());
}

#[test]
fn what_is_wrong_is_told_with_its_key_and_where_it_comes_from() {
    for (text, variables, told) in [
        (
            "[http]\nlisten = \"x\"\nbody_byte = 1\n",
            vec![],
            "http.body_byte: there is no such key; there are listen, body_bytes, kind (kontor.toml:3)",
        ),
        (
            "\n[http]\nbody_bytes = \"much\"\n",
            vec![],
            "http.body_bytes: is string \"much\", and should be u64 (kontor.toml:3)",
        ),
        (
            "[http]\nkind = \"lazy\"",
            vec![],
            "http.kind: \"lazy\" is none of fast, careful (kontor.toml:2)",
        ),
        (
            "",
            vec![("KONTOR_HTTP__BODY_BYTES", "-1")],
            "http.body_bytes: is signed int `-1`, and should be u64 (KONTOR_HTTP__BODY_BYTES)",
        ),
        (
            "",
            vec![("KONTOR_HTTP__SPEED", "1")],
            "http.speed: there is no such key; there are listen, body_bytes, kind (KONTOR_HTTP__SPEED)",
        ),
        (
            "",
            vec![("KONTOR_HTTP_BODY_BYTES", "1"), ("KONTOR_HTTP_PORT", "tcp://10.0.0.1:80")],
            "http.body_bytes: is set by KONTOR_HTTP__BODY_BYTES, with two underscores after a section \
             (KONTOR_HTTP_BODY_BYTES)",
        ),
        (
            "[htpp]\n",
            vec![],
            "htpp: there is no such key; there are http, mail, key (kontor.toml:1)",
        ),
        (
            "key = \"changeme\"",
            vec![],
            "key: a secret has at least 24 bytes; `openssl rand -hex 32` makes a good one (kontor.toml:1)",
        ),
        (
            "[mail]\nserver = \"x\"\n",
            vec![("KONTOR_MAIL__PASSWORD", "12345678")],
            "mail.password: is not a text: put it in double quotes (KONTOR_MAIL__PASSWORD)",
        ),
        ("[mail]\nserver = \"x\"\n", vec![], "mail.password: is missing (kontor.toml:1)"),
    ] {
        assert_eq!(read(text, &variables).unwrap_err(), [told], "{text}");
    }
    let broken = read("[http\n", &[]).unwrap_err().concat();
    assert!(broken.contains("kontor.toml"), "{broken}");
    let missing = load_with::<Config>(Some(Path::new("/nowhere/kontor.toml")), []).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/kontor.toml"), "{missing}");
}

#[test]
fn the_effective_configuration_shows_no_secret() {
    let secret = "d41d8cd98f00b204e9800998ecf8427e";
    let text = format!("key = \"{secret}\"\n[mail]\nserver = \"x\"\npassword = \"hunter2\"\n");
    let shown = effective(&read(&text, &[]).unwrap()).unwrap();
    assert!(!shown.contains(secret) && !shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("key = \"***\"") && shown.contains("body_bytes = 1024"), "{shown}");
}
