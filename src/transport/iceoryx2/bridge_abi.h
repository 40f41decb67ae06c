/* The border to the Rust crate beside this file: the only door to iceoryx2. Use bridge.h, which owns the handles.
 *
 * Every fallible function returns a pb_code and, when it is an error, a sentence. Panics of the library end at this
 * border (PB_PANIC). Handles of one output or input may be used from several threads at once, except for their closing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pb_code {
  PB_OK = 0,
  PB_NONE = 1, /* nothing to receive */
  PB_INVALID = 2,
  PB_EXHAUSTED = 3, /* slots, loans, participants */
  PB_CONFLICT = 4,  /* the service exists with another shape */
  PB_PERMISSION = 5,
  PB_CORRUPT = 6,
  PB_UNSUPPORTED = 7,
  PB_INTERNAL = 8,
  PB_PANIC = 9,
};

enum pb_log_level { PB_DEBUG = 0, PB_INFO = 1, PB_WARNING = 2, PB_ERROR = 3 };

struct pb_output;
struct pb_input;
struct pb_chunk;
struct pb_sample;

struct pb_error {
  char text[512]; /* terminated; set only when the code is an error */
};

/* What both ends of a service must agree on. Texts need not be terminated. */
struct pb_service {
  const char* root; /* the realm's path */
  size_t root_length;
  const char* name;
  size_t name_length;
  size_t buffer;   /* the largest queue of any consumer */
  size_t history;  /* messages kept for consumers that attach late */
  size_t max_held; /* messages that a consumer may have in hands */
};

/* The first call in a process wins. `verbose`: debug messages too, else warnings and errors. */
void pb_install_log(void (*sink)(int32_t level, const char* text, size_t length), int32_t verbose);

/* `consumers` of the service may exist at once, dead ones that were not cleaned up included: it sets the number of
 * slots. */
int32_t pb_output_open(const struct pb_service* service, size_t max_message_bytes, size_t consumers, size_t max_loans,
                       struct pb_output** output, struct pb_error* error);
/* Where chunks lie in this process: `chunk` is one of them, the first that was ever borrowed; its payload begins
 * `header` bytes behind its start, and chunks follow each other at `stride`. Borrows and returns a chunk. */
struct pb_layout {
  const uint8_t* chunk;
  size_t header;
  size_t stride;
  size_t chunks;
};
int32_t pb_output_layout(const struct pb_output* output, struct pb_layout* layout, struct pb_error* error);
void pb_output_close(struct pb_output* output);
int32_t pb_output_refresh(const struct pb_output* output, struct pb_error* error);

int32_t pb_loan(const struct pb_output* output, size_t bytes, struct pb_chunk** chunk, uint8_t** payload, void** header,
                struct pb_error* error);
void pb_loan_drop(struct pb_chunk* chunk);
/* Takes the chunk, also when it fails. */
int32_t pb_send(struct pb_chunk* chunk, size_t* recipients, struct pb_error* error);

int32_t pb_input_open(const struct pb_service* service, size_t buffer, size_t history, struct pb_input** input,
                      struct pb_error* error);
void pb_input_close(struct pb_input* input);
/* PB_NONE when there is no message. */
int32_t pb_receive(const struct pb_input* input, struct pb_sample** sample, const uint8_t** payload, size_t* bytes,
                   const void** header, struct pb_error* error);
void pb_release(struct pb_sample* sample);

/* Removes what dead participants left below `root`. For the cleaner's process only: looking at a participant's lock
 * from its own process would drop the lock. */
int32_t pb_clean(const char* root, size_t root_length, uint64_t* cleaned, uint64_t* failed, struct pb_error* error);

#ifdef __cplusplus
}
#endif
