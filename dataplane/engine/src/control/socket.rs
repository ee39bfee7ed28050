//! The control socket's file: made for our user alone, taken over from nobody who lives. May not speak on it.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket, listening. Its file goes with it.
pub(super) struct ControlSocket {
    path: PathBuf,
    /// Which file it is, so that a successor's is not removed.
    inode: u64,
}

impl ControlSocket {
    /// Listens at `path`. A file left by a proxy that is gone is replaced, one that somebody answers on is not.
    pub fn bind(path: &Path) -> Result<(Self, UnixListener), String> {
        let describe = |why: &dyn std::fmt::Display| {
            format!("can't make the control socket {}: {why}", path.display())
        };
        make_room(path).map_err(|why| describe(&why))?;
        let (listener, inode) = listen(path).map_err(|error| describe(&error))?;
        Ok((
            Self {
                path: path.to_owned(),
                inode,
            },
            listener,
        ))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // It is only a leftover then, which the next proxy replaces.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn make_room(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(file) if !file.file_type().is_socket() => {
            Err("something else than a socket stands there".to_owned())
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err("another process answers on it".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(format!(
                "it can't be told whether somebody answers on it: {error}"
            )),
        },
    }
}

/// Made beside its place and moved there with its rights, so that nobody ever finds it with others, or none.
fn listen(path: &Path) -> io::Result<(UnixListener, u64)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    listener.set_nonblocking(true)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    let inode = fs::symlink_metadata(&beside)?.ino();
    fs::rename(&beside, path)?;
    Ok((listener, inode))
}
