//! Publisher and subscriber of one service per realm: `[u8]` payloads with Penstock's message header as user header.

use core::fmt::Debug;
use core::mem::MaybeUninit;

use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::port::LoanError;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::PortFactory as _;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::abi::{Code, Failure, Outcome};
use crate::realm::{Realm, config_for};

// Dead participants count until they are cleaned, so these bound restarts between two cleanings, and the fan-out of a port.
const MAX_PUBLISHERS: usize = 8;
pub const MAX_SUBSCRIBERS: usize = 32;
const MAX_NODES: usize = 64;

const LINE: usize = 64;
const HEADER_WORDS: usize = 168 / 8;

/// penstock::message::Header, whose fields only the C++ and Python sides know.
#[repr(C)]
#[derive(Debug, Clone, Copy, ZeroCopySend)]
#[type_name("penstock::message::Header")]
pub struct Header([u64; HEADER_WORDS]);

impl Default for Header {
    fn default() -> Self {
        Self([0; HEADER_WORDS])
    }
}

/// The unit of payloads, as large as it is aligned. With single bytes the library rounds each of them up to the payload's
/// alignment, and a segment would be 64 times as large as its messages.
#[repr(C)]
#[repr(align(64))]
#[derive(Debug, Clone, Copy, ZeroCopySend)]
#[type_name("penstock::message::Line")]
pub struct Line([u8; LINE]);

/// `struct pb_service`: what both ends of a service must agree on.
#[derive(Clone, Copy)]
pub struct ServiceShape<'a> {
    pub name: &'a str,
    pub buffer: usize,
    pub history: usize,
    pub max_held: usize,
}

type Factory = PortFactory<Realm, [Line], Header>;
pub type Chunk = SampleMutUninit<Realm, [MaybeUninit<Line>], Header>;
pub type Received = Sample<Realm, [Line], Header>;

fn failed(code: Code, attempted: &str, error: impl Debug) -> Failure {
    Failure::new(code, format!("cannot {attempted}: {error:?}"))
}

fn open_node(root: &str, name: &str) -> Outcome<Node<Realm>> {
    let config = config_for(root).map_err(|text| Failure::new(Code::Invalid, text))?;
    let name = NodeName::new(name).map_err(|e| failed(Code::Invalid, "name a participant", e))?;
    NodeBuilder::new()
        .name(&name)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .config(&config)
        .create::<Realm>()
        .map_err(|e| {
            let code = if e == iceoryx2::node::NodeCreationFailure::InsufficientPermissions {
                Code::Permission
            } else {
                Code::Internal
            };
            failed(code, &format!("become a participant of the realm at {root}"), e)
        })
}

fn open_service(node: &Node<Realm>, shape: &ServiceShape) -> Outcome<Factory> {
    let name = shape
        .name
        .try_into()
        .map_err(|e| failed(Code::Invalid, &format!("use '{}' as a service name", shape.name), e))?;
    node.service_builder(&name)
        .publish_subscribe::<[Line]>()
        .user_header::<Header>()
        .max_publishers(MAX_PUBLISHERS)
        .max_subscribers(MAX_SUBSCRIBERS)
        .max_nodes(MAX_NODES)
        .subscriber_max_buffer_size(shape.buffer)
        .subscriber_max_borrowed_samples(shape.max_held)
        .history_size(shape.history)
        .enable_safe_overflow(true)
        .open_or_create()
        .map_err(|e| {
            failed(
                Code::Conflict,
                &format!(
                    "open service '{}' (buffer {}, history {}, held {})",
                    shape.name, shape.buffer, shape.history, shape.max_held
                ),
                e,
            )
        })
}

pub struct PublisherOptions {
    pub max_message_bytes: usize,
    pub consumers: usize,
    pub max_loans: usize,
}

/// `struct pb_layout`.
#[repr(C)]
pub struct Layout {
    chunk: *const u8,
    header: usize,
    stride: usize,
    chunks: usize,
}

// Fields are dropped in this order: the port leaves before its node.
pub struct Output {
    publisher: Publisher<Realm, [Line], Header>,
    factory: Factory,
    consumers: usize,
    slots: usize,
    max_message_bytes: usize,
    _node: Node<Realm>,
}

impl Output {
    pub fn open(root: &str, shape: &ServiceShape, options: &PublisherOptions) -> Outcome<Self> {
        if options.consumers > MAX_SUBSCRIBERS {
            let text = format!(
                "{} consumers of one output are too many: at most {MAX_SUBSCRIBERS}",
                options.consumers
            );
            return Err(Failure::new(Code::Invalid, text));
        }
        // The library aborts the loan with a panic when more chunks are in use than it has slots for, so this is the
        // exact bound, kept by the check in `loan`.
        let slots = options.consumers * (shape.buffer + shape.max_held) + shape.history + options.max_loans;
        let node = open_node(root, shape.name)?;
        let factory = open_service(&node, shape)?;
        let publisher = factory
            .publisher_builder()
            .initial_max_slice_len(options.max_message_bytes.div_ceil(LINE))
            .max_loaned_samples(options.max_loans)
            // A consumer maps segments when it first receives; segments that grow are gone with their producer.
            .allocation_strategy(AllocationStrategy::Static)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .override_sample_preallocation(move |_| slots)
            .create()
            .map_err(|e| {
                use iceoryx2::port::publisher::PublisherCreateError as E;
                let code = if e == E::ExceedsMaxSupportedPublishers {
                    Code::Exhausted
                } else {
                    Code::Internal
                };
                failed(
                    code,
                    &format!(
                        "open the publisher of '{}' ({slots} slots of {} bytes)",
                        shape.name, options.max_message_bytes
                    ),
                    e,
                )
            })?;
        Ok(Self {
            publisher,
            factory,
            consumers: options.consumers,
            slots,
            max_message_bytes: options.max_message_bytes,
            _node: node,
        })
    }

    fn subscribers(&self) -> usize {
        self.factory.dynamic_config().number_of_subscribers()
    }

    pub fn loan(&self, bytes: usize) -> Outcome<Chunk> {
        let present = self.subscribers();
        if present > self.consumers {
            let text = format!(
                "{present} consumers are registered where {} were planned: dead ones must be cleaned up before their replacements attach",
                self.consumers
            );
            return Err(Failure::new(Code::Exhausted, text));
        }
        self.publisher
            .loan_slice_uninit(bytes.div_ceil(LINE))
            .map_err(|e| match e {
                LoanError::ExceedsMaxLoans => {
                    Failure::new(Code::Exhausted, "all loans are out: publish or drop one first")
                }
                LoanError::OutOfMemory => Failure::new(
                    Code::Exhausted,
                    "all slots are in use: a consumer holds more messages than it declared",
                ),
                LoanError::ExceedsMaxLoanSize => Failure::new(
                    Code::Invalid,
                    format!("a message of {bytes} bytes is larger than the port's maximum"),
                ),
                e => failed(Code::Internal, "borrow a slot", e),
            })
    }

    /// The library's chunks are its own header, ours and the payload, rounded up to the payload's alignment.
    pub fn layout(&self) -> Outcome<Layout> {
        let mut chunk = self.loan(1)?;
        let start: *const u8 = core::ptr::from_ref(chunk.header()).cast();
        let payload: *const u8 = chunk.payload_mut().as_ptr().cast();
        let header = payload.addr() - start.addr();
        Ok(Layout {
            chunk: start,
            header,
            stride: (header + self.max_message_bytes).next_multiple_of(LINE),
            chunks: self.slots,
        })
    }

    pub fn refresh(&self) -> Outcome<()> {
        self.publisher
            .update_connections()
            .map_err(|e| failed(Code::Internal, "update the connections of the publisher", e))
    }
}

pub fn send(chunk: Chunk) -> Outcome<usize> {
    // SAFETY: bytes have no invalid values; what the node did not write is what the slot held before.
    unsafe { chunk.assume_init() }
        .send()
        .map_err(|e| failed(Code::Internal, "send a message", e))
}

pub struct Input {
    subscriber: Subscriber<Realm, [Line], Header>,
    _factory: Factory,
    _node: Node<Realm>,
}

impl Input {
    pub fn open(root: &str, shape: &ServiceShape, buffer: usize, history: usize) -> Outcome<Self> {
        let node = open_node(root, shape.name)?;
        let factory = open_service(&node, shape)?;
        let subscriber = factory
            .subscriber_builder()
            .buffer_size(buffer)
            .history_request(history)
            .create()
            .map_err(|e| {
                use iceoryx2::port::subscriber::SubscriberCreateError as E;
                match e {
                    E::ExceedsMaxSupportedSubscribers => Failure::new(
                        Code::Exhausted,
                        format!(
                            "'{}' has {MAX_SUBSCRIBERS} consumers already, dead ones that were not cleaned up included",
                            shape.name
                        ),
                    ),
                    e => failed(Code::Invalid, &format!("subscribe to '{}'", shape.name), e),
                }
            })?;
        Ok(Self {
            subscriber,
            _factory: factory,
            _node: node,
        })
    }

    pub fn receive(&self) -> Outcome<Option<Received>> {
        use iceoryx2::port::ReceiveError;
        self.subscriber.receive().map_err(|e| match e {
            ReceiveError::ExceedsMaxBorrows => Failure::new(Code::Exhausted, "too many messages are held"),
            e => failed(Code::Corrupt, "receive a message", e),
        })
    }
}
