//! Cues: in which clusters there are key packets (5.1.5), and where they are told of (5.1.1).

use super::element::Elements;
use super::id;
use crate::error::ContainerError;

/// Where in the segment's content an element of this kind begins, by a `SeekHead`.
pub(super) fn position_of(
    seek_head: Elements<'_>,
    wanted: u32,
) -> Result<Option<u64>, ContainerError> {
    let mut all = seek_head;
    while let Some(seek) = all.next()? {
        if seek.id != id::SEEK {
            continue;
        }
        let (mut kind, mut position) = (0, None);
        let mut elements = seek.elements();
        while let Some(element) = elements.next()? {
            match element.id {
                id::SEEK_ID => kind = element.number()?,
                id::SEEK_POSITION => position = Some(element.number()?),
                _ => {}
            }
        }
        if kind == u64::from(wanted) && position.is_some() {
            return Ok(position);
        }
    }
    Ok(None)
}

/// Where in the segment's content the cluster begins that has the last key packet of a track at or
/// before a time.
pub(super) fn cluster_before(
    cues: Elements<'_>,
    track: u64,
    time: i64,
) -> Result<Option<u64>, ContainerError> {
    let mut best: Option<(i64, u64)> = None;
    let mut all = cues;
    while let Some(point) = all.next()? {
        if point.id != id::CUE_POINT {
            continue;
        }
        let (mut at, mut position) = (i64::MAX, None);
        let mut elements = point.elements();
        while let Some(element) = elements.next()? {
            match element.id {
                id::CUE_TIME => at = i64::try_from(element.number()?).unwrap_or(i64::MAX),
                id::CUE_TRACK_POSITIONS => {
                    let (mut of, mut cluster) = (0, None);
                    let mut positions = element.elements();
                    while let Some(element) = positions.next()? {
                        match element.id {
                            id::CUE_TRACK => of = element.number()?,
                            id::CUE_CLUSTER_POSITION => cluster = Some(element.number()?),
                            _ => {}
                        }
                    }
                    if of == track {
                        position = cluster.or(position);
                    }
                }
                _ => {}
            }
        }
        if let Some(position) = position
            && at <= time
            && best.is_none_or(|(before, _)| before <= at)
        {
            best = Some((at, position));
        }
    }
    Ok(best.map(|(_, position)| position))
}
