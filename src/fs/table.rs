//! A map by number that threads share without standing in each other's way.

use parking_lot::Mutex;
use std::collections::HashMap;

const SHARDS: usize = 16;

/// Values by number. No lock is held when a method has returned.
pub(super) struct Table<V> {
    shards: [Mutex<HashMap<u64, V>>; SHARDS],
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl<V: Clone> Table<V> {
    pub fn get(&self, key: u64) -> Option<V> {
        self.shard(key).lock().get(&key).cloned()
    }

    pub fn insert(&self, key: u64, value: V) -> Option<V> {
        self.shard(key).lock().insert(key, value)
    }

    pub fn remove(&self, key: u64) -> Option<V> {
        self.shard(key).lock().remove(&key)
    }

    /// How many there are; a moment's answer.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// What `pick` makes of each value, in no order.
    pub fn filter_map<T>(&self, pick: impl Fn(&V) -> Option<T>) -> Vec<T> {
        self.shards.iter().flat_map(|shard| shard.lock().values().filter_map(&pick).collect::<Vec<_>>()).collect()
    }

    /// Works on one shard as a whole: `work` must be short.
    pub fn with<T>(&self, key: u64, work: impl FnOnce(&mut HashMap<u64, V>) -> T) -> T {
        work(&mut self.shard(key).lock())
    }

    fn shard(&self, key: u64) -> &Mutex<HashMap<u64, V>> {
        &self.shards[key as usize % SHARDS]
    }
}
