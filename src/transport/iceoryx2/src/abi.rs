//! What crosses the border: status codes, error text, strings, panics. The C side is `bridge_abi.h`.

use core::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Values of `enum pb_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Ok = 0,
    None = 1,
    Invalid = 2,
    Exhausted = 3,
    Conflict = 4,
    Permission = 5,
    Corrupt = 6,
    Unsupported = 7,
    Internal = 8,
    Panic = 9,
}

pub struct Failure {
    pub code: Code,
    pub text: String,
}

impl Failure {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

pub type Outcome<T> = Result<T, Failure>;

/// Where the caller wants the sentence: always terminated, cut at a character's border.
#[repr(C)]
pub struct ErrorText {
    text: [u8; 512],
}

impl ErrorText {
    fn set(&mut self, sentence: &str) {
        let mut length = sentence.len().min(self.text.len() - 1);
        while !sentence.is_char_boundary(length) {
            length -= 1;
        }
        self.text[..length].copy_from_slice(&sentence.as_bytes()[..length]);
        self.text[length] = 0;
    }
}

/// Runs `body`; its failure or panic becomes a code and a sentence.
pub fn guarded(error: *mut ErrorText, body: impl FnOnce() -> Outcome<Code>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(code)) => return code as i32,
        Ok(Err(failure)) => failure,
        Err(payload) => {
            let what = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Failure::new(Code::Panic, format!("iceoryx2 panicked: {what}"))
        }
    };
    // SAFETY: null, or the caller's buffer.
    if let Some(error) = unsafe { error.as_mut() } {
        error.set(&failure.text);
    }
    failure.code as i32
}

/// For functions that cannot fail: a panic is logged (by the hook) and ends here.
pub fn contained(body: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(body));
}

/// # Safety
/// `text` points to `length` bytes that outlive the call.
pub unsafe fn string<'a>(text: *const c_char, length: usize, what: &str) -> Outcome<&'a str> {
    let bytes = unsafe { core::slice::from_raw_parts(text.cast::<u8>(), length) };
    core::str::from_utf8(bytes).map_err(|_| Failure::new(Code::Invalid, format!("{what} is not UTF-8")))
}
