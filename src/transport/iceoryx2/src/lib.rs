//! The C ABI of `bridge_abi.h`: every function here has its declaration and its contract there.
#![allow(clippy::missing_safety_doc)]

mod abi;
mod cleaner;
mod log;
mod ports;
mod realm;

use core::ffi::c_char;

use abi::{Code, ErrorText, contained, guarded, string};
use ports::{Chunk, Header, Input, Layout, Output, PublisherOptions, Received, ServiceShape, send};

#[repr(C)]
pub struct ServiceText {
    root: *const c_char,
    root_length: usize,
    name: *const c_char,
    name_length: usize,
    buffer: usize,
    history: usize,
    max_held: usize,
}

impl ServiceText {
    unsafe fn root(&self) -> abi::Outcome<&str> {
        unsafe { string(self.root, self.root_length, "the realm's path") }
    }

    unsafe fn shape(&self) -> abi::Outcome<ServiceShape<'_>> {
        let name = unsafe { string(self.name, self.name_length, "the service's name") }?;
        Ok(ServiceShape {
            name,
            buffer: self.buffer,
            history: self.history,
            max_held: self.max_held,
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_install_log(sink: log::Sink, verbose: i32) {
    contained(|| log::install(sink, verbose != 0));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_output_open(
    service: *const ServiceText,
    max_message_bytes: usize,
    consumers: usize,
    max_loans: usize,
    out: *mut *mut Output,
    error: *mut ErrorText,
) -> i32 {
    guarded(error, || unsafe {
        let service = &*service;
        let options = PublisherOptions {
            max_message_bytes,
            consumers,
            max_loans,
        };
        let output = Output::open(service.root()?, &service.shape()?, &options)?;
        *out = Box::into_raw(Box::new(output));
        Ok(Code::Ok)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_output_layout(output: *const Output, layout: *mut Layout, error: *mut ErrorText) -> i32 {
    guarded(error, || unsafe {
        *layout = (&*output).layout()?;
        Ok(Code::Ok)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_output_close(output: *mut Output) {
    contained(|| drop(unsafe { Box::from_raw(output) }));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_output_refresh(output: *const Output, error: *mut ErrorText) -> i32 {
    guarded(error, || unsafe { &*output }.refresh().map(|()| Code::Ok))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_loan(
    output: *const Output,
    bytes: usize,
    out: *mut *mut Chunk,
    payload: *mut *mut u8,
    header: *mut *mut Header,
    error: *mut ErrorText,
) -> i32 {
    guarded(error, || unsafe {
        let mut chunk = Box::new((&*output).loan(bytes)?);
        *payload = chunk.payload_mut().as_mut_ptr().cast();
        *header = chunk.user_header_mut();
        *out = Box::into_raw(chunk);
        Ok(Code::Ok)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_loan_drop(chunk: *mut Chunk) {
    contained(|| drop(unsafe { Box::from_raw(chunk) }));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_send(chunk: *mut Chunk, recipients: *mut usize, error: *mut ErrorText) -> i32 {
    guarded(error, || unsafe {
        *recipients = send(*Box::from_raw(chunk))?;
        Ok(Code::Ok)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_input_open(
    service: *const ServiceText,
    buffer: usize,
    history: usize,
    out: *mut *mut Input,
    error: *mut ErrorText,
) -> i32 {
    guarded(error, || unsafe {
        let service = &*service;
        let input = Input::open(service.root()?, &service.shape()?, buffer, history)?;
        *out = Box::into_raw(Box::new(input));
        Ok(Code::Ok)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_input_close(input: *mut Input) {
    contained(|| drop(unsafe { Box::from_raw(input) }));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_receive(
    input: *const Input,
    out: *mut *mut Received,
    payload: *mut *const u8,
    bytes: *mut usize,
    header: *mut *const Header,
    error: *mut ErrorText,
) -> i32 {
    guarded(error, || unsafe {
        let Some(sample) = (&*input).receive()? else {
            return Ok(Code::None);
        };
        *payload = sample.payload().as_ptr().cast();
        *bytes = size_of_val(sample.payload());
        *header = sample.user_header();
        *out = Box::into_raw(Box::new(sample));
        Ok(Code::Ok)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_release(sample: *mut Received) {
    contained(|| drop(unsafe { Box::from_raw(sample) }));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pb_clean(
    root: *const c_char,
    root_length: usize,
    cleaned: *mut u64,
    failed: *mut u64,
    error: *mut ErrorText,
) -> i32 {
    guarded(error, || unsafe {
        let report = cleaner::clean(string(root, root_length, "the realm's path")?)?;
        *cleaned = report.cleaned;
        *failed = report.failed;
        Ok(Code::Ok)
    })
}
