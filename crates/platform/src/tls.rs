//! TLS to servers that services depend on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// What a file of certificates lacks.
    #[error("certificates in {0}: {1}")]
    Certificates(PathBuf, String),
    /// The library refuses its own defaults.
    #[error("TLS")]
    Library(#[from] rustls::Error),
}

/// A client that believes the certificates in `ca`, in PEM, or else those that browsers do. It needs
/// none of the system's.
///
/// # Errors
/// When the file cannot be read, or has no certificate.
pub fn client(ca: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let unreadable = |why: &dyn std::fmt::Display| {
                TlsError::Certificates(file.to_owned(), why.to_string())
            };
            for certificate in
                CertificateDer::pem_file_iter(file).map_err(|why| unreadable(&why))?
            {
                let certificate = certificate.map_err(|why| unreadable(&why))?;
                roots.add(certificate).map_err(|why| unreadable(&why))?;
            }
            if roots.is_empty() {
                return Err(unreadable(&"there is none"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
