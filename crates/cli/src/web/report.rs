//! Single files of a report's folder, and nothing else of the file system.

use std::path::{Component, Path};

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{
    fs::{self, File},
    io::AsyncReadExt,
};
use tokio_util::io::ReaderStream;

use super::pages;

/// The file of that name, a part of a path without percent signs.
pub(super) async fn file(folder: &Path, name: &str) -> Response {
    match open(folder, name).await {
        Some((file, octets, media_type)) => {
            let fields =
                [(header::CONTENT_TYPE, media_type), (header::CONTENT_LENGTH, &octets.to_string())];
            (fields, Body::from_stream(ReaderStream::new(file.take(octets)))).into_response()
        }
        None if name == "index.html" => {
            let fields = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (StatusCode::NOT_FOUND, fields, pages::NO_REPORT_HTML).into_response()
        }
        None => (StatusCode::NOT_FOUND, "The report has no such file.\n").into_response(),
    }
}

/// Opens a file with its length and media type. Reports have no folders, no links and no hidden
/// files: a name that is more than a name, or stands for something elsewhere, is no file of one.
async fn open(folder: &Path, name: &str) -> Option<(File, u64, &'static str)> {
    let media_type = media_type(name)?;
    let mut parts = Path::new(name).components();
    let (Some(Component::Normal(only)), None) = (parts.next(), parts.next()) else { return None };
    if only != name || name.starts_with('.') {
        return None;
    }
    let path = fs::canonicalize(folder).await.ok()?.join(name);
    if fs::canonicalize(&path).await.ok()? != path {
        return None;
    }
    // Opening a pipe would wait for whoever writes into it.
    let metadata = fs::metadata(&path).await.ok()?;
    if !metadata.is_file() {
        return None;
    }
    Some((File::open(path).await.ok()?, metadata.len(), media_type))
}

/// What a file of a report is by its name; none if reports have no such files.
fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "json" => Some("application/json"),
        // Lines of JSON, to be looked at rather than saved.
        "jsonl" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs as sync;

    use super::*;

    /// Whether a name is served out of a folder that lies beside a file and has a folder in it.
    fn check(name: &str, served: bool) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("report");
        sync::create_dir_all(folder.join("inner.html")).unwrap();
        for file in ["secret.html", "report/index.html", "report/.hidden.html", "report/key.pem"] {
            sync::write(dir.path().join(file), "text").unwrap();
        }
        sync::write(folder.join("inner.html/x.html"), "text").unwrap();
        #[cfg(unix)]
        for (target, link) in
            [("../secret.html", "out.html"), ("index.html", "in.html"), ("..", "up")]
        {
            std::os::unix::fs::symlink(target, folder.join(link)).unwrap();
        }
        let absolute = name.replace("DIR", &dir.path().to_string_lossy());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(open(&folder, &absolute));
        assert_eq!(found.is_some(), served, "{name}");
    }

    #[test]
    fn files_of_the_report_and_no_others() {
        check("index.html", true);
        for name in [
            "",
            ".",
            "..",
            "missing.html",
            "../secret.html",
            "..\\secret.html",
            "../report/index.html",
            "./index.html",
            "index.html/",
            "/index.html",
            "DIR/secret.html",
            "DIR/report/index.html",
            "inner.html",
            "inner.html/x.html",
            ".hidden.html",
            "key.pem",
            "out.html",
            "in.html",
            "up/secret.html",
            "index.html\0",
            "index.html\0.html",
            "index.html::$DATA",
        ] {
            check(name, false);
        }
    }
}
