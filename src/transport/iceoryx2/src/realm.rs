//! The iceoryx2 service variant whose every resource is a file below one root path: the realm.

use core::fmt::Debug;

use iceoryx2::config::Config;
use iceoryx2::prelude::*;
use iceoryx2::unique_id_generator::{Entity, UniqueId, UniqueIdGenerator, UniqueIdGeneratorGenerateError};
use iceoryx2_bb_elementary_traits::testing::abandonable::Abandonable;
use iceoryx2_bb_elementary_traits::zero_copy_send::ZeroCopySend;
use iceoryx2_bb_lock_free::mpmc::counting_bit_set::RelocatableCountingBitSet;
use iceoryx2_cal::event::trigger::{State, unix_datagram_socket::GenericUnixDatagramSocketTrigger};
use iceoryx2_cal::shm_allocator::bump_allocator::BumpAllocator;
use iceoryx2_cal::shm_allocator::pool_allocator::PoolAllocator;
use iceoryx2_cal::*;

#[derive(Debug, Clone)]
pub struct Realm {}

type Bits = RelocatableCountingBitSet;

impl iceoryx2::service::Service for Realm {
    type StaticStorage = static_storage::recommended::Ipc;
    type ConfigSerializer = serialize::recommended::Recommended;
    type PersistentDynamicStorage<T: Debug + Send + Sync + ZeroCopySend + 'static> = dynamic_storage::file::Storage<T>;
    type Bag = bag::recommended::Recommended;
    type DynamicStorage<T: Debug + Send + Sync + ZeroCopySend + 'static> = dynamic_storage::file::Storage<T>;
    type ServiceNameHasher = hash::recommended::Recommended;
    type SharedMemory = shared_memory::file::Memory<PoolAllocator>;
    type ResizableSharedMemory =
        resizable_shared_memory::dynamic::DynamicMemory<PoolAllocator, shared_memory::file::Memory<PoolAllocator>>;
    type Connection = zero_copy_connection::file::Connection;
    type Event = GenericUnixDatagramSocketTrigger<Bits, dynamic_storage::file::Storage<State<Bits, ()>>>;
    type Monitoring = monitoring::recommended::Ipc;
    type Reactor = reactor::recommended::Ipc;
    // A publisher is shared by the node's thread and the transport thread; samples are released on any thread.
    type ArcThreadSafetyPolicy<T: Send + Debug + Abandonable> = arc_sync_policy::mutex_protected::MutexProtected<T>;
    type BlackboardMgmt<K: Send + Sync + Debug + ZeroCopySend + 'static> = dynamic_storage::file::Storage<K>;
    type BlackboardPayload = shared_memory::file::Memory<BumpAllocator>;
    type UniqueId = RandomId;
}

impl iceoryx2::service::internal::ServiceInternal<Realm> for Realm {}

/// Identities of participants come from the kernel's random source. The library's own are made of process id and time,
/// and processes in two PID namespaces may share both.
#[derive(Debug)]
pub struct RandomId;

impl UniqueIdGenerator for RandomId {
    fn generate<S: iceoryx2::service::Service>(
        _entity: Entity,
        _config: &Config,
    ) -> Result<UniqueId, UniqueIdGeneratorGenerateError> {
        let mut bytes = [0u8; 16];
        let wanted = bytes.len();
        // SAFETY: the buffer is ours and as long as we say.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), wanted, 0) };
        if usize::try_from(got) != Ok(wanted) {
            return Err(UniqueIdGeneratorGenerateError::GenerationError);
        }
        // The upper half is used as an owner id, of which u64::MAX means nobody: clear the highest bit.
        let value = u128::from_ne_bytes(bytes) & (u128::MAX >> 1);
        // SAFETY: any value is an identity as long as it is unique, and 127 random bits are.
        Ok(unsafe { UniqueId::from_raw_id(value) })
    }
}

/// The library's configuration for the realm at `root`. Nothing is ever cleaned behind our back: dead participants are
/// removed by the cleaner, when the runtime says so.
pub fn config_for(root: &str) -> Result<Config, String> {
    let mut config = Config::default();
    config.global.node.cleanup_dead_nodes_on_creation = false;
    config.global.node.cleanup_dead_nodes_on_destruction = false;
    config.global.service.cleanup_dead_nodes_on_open = false;
    // Creation by a peer takes milliseconds; on a loaded machine the peer may not run for seconds.
    config.global.creation_timeout = core::time::Duration::from_secs(10);
    let path = Path::new(root.as_bytes()).map_err(|e| format!("the realm's path '{root}' is not usable ({e:?})"))?;
    config.global.set_root_path(&path);
    Ok(config)
}
