//! What an error says to the one who asked: a line, a document, a page. It may not write a head.

use std::fmt::Write;

use serde_json::json;

use super::Form;
use crate::error::Error;
use crate::router::Hint;

/// The page's look: it may load nothing.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:10vh auto;padding:0 1em;\
    color:#222}h1{font-size:1.4em}code{background:#8882;padding:.1em .3em}li{margin:.4em 0}footer{color:#777;\
    margin-top:2em}@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}}";

/// The body of an error's answer.
pub(super) fn error(form: Form, error: &Error, trace: Option<&str>, hints: &[Hint]) -> String {
    match form {
        // Of a call's answer nothing is a body.
        Form::Text | Form::Grpc => text(error, trace, hints),
        Form::Json => document(error, trace, hints),
        Form::Html => page(error, trace, hints),
    }
}

/// What went wrong, for a person.
pub(super) fn sentence(error: &Error, trace: Option<&str>) -> String {
    let mut text = format!("{}: {}", words(error), error.detail);
    // A string takes whatever is written to it.
    if let Some(start) = trace.and_then(|trace| trace.get(..8)) {
        let _ = write!(text, ". trace {start}");
    }
    text
}

fn text(error: &Error, trace: Option<&str>, hints: &[Hint]) -> String {
    let mut text = sentence(error, trace);
    text.push('\n');
    for (at, hint) in hints.iter().enumerate() {
        if at == 0 {
            text.push_str("nearest routes:\n");
        }
        let route = &hint.route;
        let _ = writeln!(
            text,
            "  {}  {}  {}",
            route.key, route.pattern, hint.sentence
        );
    }
    text
}

fn document(error: &Error, trace: Option<&str>, hints: &[Hint]) -> String {
    let mut document = json!({ "error": {
        "reason": error.reason.code(), "status": error.reason.status(), "message": error.detail, "trace": trace,
    } });
    if !hints.is_empty() {
        let rows = hints.iter().map(|hint| {
            let route = &hint.route;
            json!({"name": route.name, "key": route.key, "pattern": route.pattern, "code": hint.code,
                   "sentence": hint.sentence})
        });
        document["error"]["nearest"] = rows.collect();
    }
    format!("{document}\n")
}

fn page(error: &Error, trace: Option<&str>, hints: &[Hint]) -> String {
    let title = format!("{} {}", error.reason.status(), words(error));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style>\n\
         <h1>{title}</h1>\n<p>{}</p>\n",
        escaped(&error.detail)
    );
    if !hints.is_empty() {
        page.push_str("<p>Nearest routes:</p>\n<ul>\n");
        for hint in hints {
            let (key, pattern) = (escaped(&hint.route.key), escaped(&hint.route.pattern));
            let sentence = escaped(&hint.sentence);
            let _ = writeln!(page, "<li><code>{key}</code> {pattern}: {sentence}</li>");
        }
        page.push_str("</ul>\n");
    }
    if let Some(trace) = trace {
        let _ = writeln!(
            page,
            "<footer>meshnode · trace <code>{trace}</code></footer>"
        );
    }
    page.push_str("</html>\n");
    page
}

fn words(error: &Error) -> String {
    error.reason.code().replace('_', " ")
}

/// As text in HTML: what a client sent stands in sentences.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}
