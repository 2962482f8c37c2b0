//! A list that is never longer than its specification lets it be.

use std::ops::{Deref, DerefMut};

/// A list of up to `MOST` values that takes no memory of its own.
#[derive(Clone, Copy, Debug)]
pub struct Few<T, const MOST: usize> {
    values: [T; MOST],
    len: usize,
}

impl<T: Copy + Default, const MOST: usize> Few<T, MOST> {
    /// Adds a value, if there is room.
    #[must_use = "whether there was room"]
    pub fn push(&mut self, value: T) -> bool {
        let room = self.values.get_mut(self.len);
        let fits = room.is_some();
        if let Some(room) = room {
            *room = value;
            self.len += 1;
        }
        fits
    }

    /// Puts a value in the place of others, which move up, or at the end. The last of a full list
    /// is lost.
    pub fn insert(&mut self, at: usize, value: T) {
        let at = at.min(self.len);
        self.len = (self.len + 1).min(MOST);
        if let Some(moved) = self.values.get_mut(at..self.len)
            && !moved.is_empty()
        {
            moved.rotate_right(1);
            if let Some(first) = moved.first_mut() {
                *first = value;
            }
        }
    }

    /// Takes a value out; those behind it move down.
    pub fn remove(&mut self, at: usize) {
        if let Some(moved) = self.values.get_mut(at..self.len)
            && !moved.is_empty()
        {
            moved.rotate_left(1);
            self.len -= 1;
        }
    }

    /// Leaves out what is behind the first values.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Leaves out everything.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Whether nothing more fits.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len == MOST
    }
}

impl<T: Copy + Default, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self {
            values: [T::default(); MOST],
            len: 0,
        }
    }
}

impl<T, const MOST: usize> Deref for Few<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.values.get(..self.len).unwrap_or_default()
    }
}

impl<T, const MOST: usize> DerefMut for Few<T, MOST> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.values.get_mut(..self.len).unwrap_or_default()
    }
}

impl<T: PartialEq, const MOST: usize> PartialEq for Few<T, MOST> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq, const MOST: usize> Eq for Few<T, MOST> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_move_up_and_down_and_the_last_of_a_full_list_is_lost() {
        let mut list: Few<u8, 3> = Few::default();
        assert!(list.push(1) && list.push(2) && list.push(3));
        assert!(!list.push(4));
        list.insert(1, 9);
        assert_eq!(*list, [1, 9, 2]);
        list.remove(0);
        list.remove(7);
        assert_eq!(*list, [9, 2]);
        list.insert(7, 5);
        list.insert(3, 6);
        assert_eq!(*list, [9, 2, 5]);
        list.truncate(1);
        assert_eq!(*list, [9]);
    }
}
