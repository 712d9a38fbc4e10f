//! llama.cpp as a process-wide library: started once, its log sent to `tracing`.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;

/// llama.cpp, started on first use. It is never shut down: its global state is freed with the process.
///
/// `None` when something else in this process started it through `llama-cpp-2`.
pub(crate) fn llama_backend() -> Option<&'static LlamaBackend> {
    static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            // SAFETY: `forward_log` is a function for the whole life of the process and uses no user data. llama.cpp
            // keeps a log function of its own for ggml, hence the second call.
            unsafe {
                sys::llama_log_set(Some(forward_log), std::ptr::null_mut());
                sys::ggml_log_set(Some(forward_log), std::ptr::null_mut());
            }
            LlamaBackend::init().ok()
        })
        .as_ref()
}

thread_local! {
    static LAST_ERROR: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Forgets what llama.cpp reported on this thread so far.
pub(crate) fn clear_last_error() {
    LAST_ERROR.with_borrow_mut(Option::take);
}

/// The last error that llama.cpp reported on this thread: its functions return only that they failed.
pub(crate) fn take_last_error() -> Option<String> {
    LAST_ERROR.with_borrow_mut(Option::take)
}

/// Sends one piece of llama.cpp's log to `tracing`.
///
/// Levels are lowered: what llama.cpp calls information is of interest to its developers, and its errors come back to the
/// caller as errors of this crate.
unsafe extern "C" fn forward_log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a text that ends in NUL and lives during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim_end();
    if text.is_empty() || text.chars().all(|character| character == '.') {
        return;
    }
    match level {
        sys::GGML_LOG_LEVEL_ERROR => {
            tracing::warn!(target: "llama.cpp", "{text}");
            remember(text);
        }
        sys::GGML_LOG_LEVEL_WARN | sys::GGML_LOG_LEVEL_INFO => {
            tracing::debug!(target: "llama.cpp", "{text}");
        }
        _ => tracing::trace!(target: "llama.cpp", "{text}"),
    }
}

/// Keeps the first error: the later ones say only that the caller of the failed function failed, too.
fn remember(text: &str) {
    LAST_ERROR.with_borrow_mut(|last| {
        if last.is_none() {
            *last = Some(text.to_owned());
        }
    });
}
