//! The library's log, and the text of its panics, go to the C++ side's logger.

use core::ffi::c_char;
use core::fmt::Arguments;
use std::sync::OnceLock;

use iceoryx2_log::{Log, LogLevel, set_log_level, set_logger};

/// `level` as in `enum pb_log_level`; the text is not terminated.
pub type Sink = unsafe extern "C" fn(level: i32, text: *const c_char, length: usize);

static SINK: OnceLock<Sink> = OnceLock::new();
static LOGGER: Forward = Forward;

struct Forward;

fn write(level: i32, text: &str) {
    if let Some(sink) = SINK.get() {
        // SAFETY: the sink copies before it returns.
        unsafe { sink(level, text.as_ptr().cast(), text.len()) }
    }
}

impl Log for Forward {
    fn log(&self, level: LogLevel, origin: Arguments, message: Arguments) {
        let number = match level {
            LogLevel::Trace | LogLevel::Debug => 0,
            LogLevel::Info => 1,
            LogLevel::Warn => 2,
            LogLevel::Error | LogLevel::Fatal => 3,
        };
        // The origin is a debug print of whole structures: only of use to who asked for debug output.
        match number {
            0 => write(number, &format!("iceoryx2: {message} [{origin}]")),
            _ => write(number, &format!("iceoryx2: {message}")),
        }
    }
}

pub fn install(sink: Sink, verbose: bool) {
    if SINK.set(sink).is_err() {
        return;
    }
    set_logger(&LOGGER);
    set_log_level(if verbose { LogLevel::Debug } else { LogLevel::Warn });
    std::panic::set_hook(Box::new(|info| write(3, &format!("iceoryx2: {info}"))));
}
