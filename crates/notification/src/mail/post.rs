//! Ways for a mail to leave: into a folder of `.eml` files, or into memory for tests; `smtp` is the
//! third. Which one is configured; whoever sends does not know.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use contracts::MessageId;

use super::build::Built;

/// What became of an attempt to hand a mail over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It was taken.
    Taken,
    /// It was refused for good.
    Refused(String),
    /// It was not taken this time.
    Failed(String),
}

/// A way for a mail to leave. May be asked several times for one message: it is the same each time.
pub trait Post: Send + Sync + 'static {
    /// Hands a mail over.
    fn deliver<'a>(
        &'a self,
        mail: &'a Built,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>>;
}

/// Into a folder, one `.eml` file per message. A message that is there already is left alone.
#[derive(Debug, Clone)]
pub struct MailboxPost {
    folder: PathBuf,
    fsync: bool,
}

impl MailboxPost {
    /// The mailbox in this folder, which is made if need be. With `fsync`, a mail that was taken
    /// survives a power cut.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folder: impl Into<PathBuf>, fsync: bool) -> std::io::Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, fsync })
    }

    /// Where a message is, or will be. Names sort by time.
    pub fn path_of(&self, mail: &Built) -> PathBuf {
        self.folder.join(format!("{:020}-{}.eml", mail.created_at.micros(), mail.id))
    }
}

impl Post for MailboxPost {
    fn deliver<'a>(
        &'a self,
        mail: &'a Built,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>> {
        Box::pin(async move {
            let (path, folder) = (self.path_of(mail), self.folder.clone());
            let temporary = folder.join(format!(".{}.part", mail.id));
            let (bytes, fsync) = (mail.message.formatted(), self.fsync);
            let put = move || put_whole(&folder, &temporary, &path, &bytes, fsync);
            match tokio::task::spawn_blocking(put).await {
                Ok(Ok(())) => Delivered::Taken,
                Ok(Err(error)) => Delivered::Failed(format!("the mailbox folder: {error}")),
                Err(_) => Delivered::Failed("the mailbox folder: interrupted".to_owned()),
            }
        })
    }
}

/// Writes a file so that it is there whole or not at all; with `fsync`, also after a power cut.
fn put_whole(
    folder: &Path,
    temporary: &Path,
    path: &Path,
    bytes: &[u8],
    fsync: bool,
) -> std::io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let mut file = std::fs::File::create(temporary)?;
    file.write_all(bytes)?;
    if fsync {
        file.sync_all()?;
    }
    std::fs::rename(temporary, path)?;
    if fsync { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Into memory, for tests and the simulation: a message is there once, with a count of attempts.
#[derive(Debug, Clone, Default)]
pub struct MemoryPost(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    mails: BTreeMap<MessageId, (u64, Vec<u8>)>,
    answers: Vec<Delivered>,
}

impl MemoryPost {
    /// What has arrived, by message: how often, and the mail.
    pub fn mails(&self) -> BTreeMap<MessageId, (u64, Vec<u8>)> {
        self.lock().mails.clone()
    }

    /// What the next attempts will be answered; `Taken` once these are used up. A mail that is not
    /// taken does not arrive.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Delivered>) {
        self.lock().answers.extend(answers);
    }

    /// From now on everything is taken.
    pub fn forget_answers(&self) {
        self.lock().answers.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post for MemoryPost {
    fn deliver<'a>(
        &'a self,
        mail: &'a Built,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'a>> {
        Box::pin(async move {
            let mut memory = self.lock();
            if !memory.answers.is_empty() {
                let answer = memory.answers.remove(0);
                if answer != Delivered::Taken {
                    return answer;
                }
            }
            let bytes = mail.message.formatted();
            memory.mails.entry(mail.id).or_insert((0, bytes)).0 += 1;
            Delivered::Taken
        })
    }
}

#[cfg(test)]
mod tests {
    use contracts::{Id, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::mail::{Rendered, Sender, build};

    fn mail(text: &str) -> Built {
        let sender = Sender { name: "S".into(), address: "s@s.example".into(), reply_to: None };
        let rendered = Rendered { subject: "x".into(), text: text.into(), html: "x".into() };
        let id = Id::from_uuid(Uuid::from_u128(3));
        build(id, Timestamp::from_micros(7), &sender, "a@b.example", &rendered).unwrap()
    }

    #[tokio::test]
    async fn a_mail_that_is_delivered_twice_is_in_the_mailbox_once() {
        let folder = tempfile::tempdir().unwrap();
        let post = MailboxPost::new(folder.path().join("mail"), true).unwrap();
        assert_eq!(post.deliver(&mail("first")).await, Delivered::Taken);
        assert_eq!(post.deliver(&mail("again")).await, Delivered::Taken);
        let files: Vec<_> = std::fs::read_dir(folder.path().join("mail")).unwrap().collect();
        assert_eq!(files.len(), 1);
        let kept = std::fs::read_to_string(post.path_of(&mail(""))).unwrap();
        assert!(kept.contains("first") && !kept.contains("again"), "{kept}");
    }

    #[tokio::test]
    async fn a_mailbox_that_cannot_be_written_fails_this_time_only() {
        let folder = tempfile::tempdir().unwrap();
        let post = MailboxPost::new(folder.path().join("mail"), false).unwrap();
        std::fs::remove_dir(folder.path().join("mail")).unwrap();
        assert!(matches!(post.deliver(&mail("x")).await, Delivered::Failed(_)));
    }
}
