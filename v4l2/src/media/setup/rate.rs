//! The sensor's rate.

use dmaflow_core::time::Rate;

use super::MediaSetup;
use crate::media::error::MediaError;
use crate::media::topology::PadId;

impl MediaSetup {
    /// The pad that the chain's pictures arise at.
    fn sensor(&self) -> Option<PadId> {
        let first = self.plan.chain.links.first().copied();
        Some(self.link(first?)?.source)
    }

    /// The rate that the sensor has, where it has one.
    pub(super) fn rate(&mut self) -> Option<(PadId, Rate)> {
        let pad = self.sensor()?;
        let entity = self.topology.entity(pad.entity)?;
        if !entity.is_subdevice() {
            return None;
        }
        let sensor = self.devices.subdevice(pad.entity);
        match sensor.and_then(|sensor| Ok(sensor.rate(pad.index)?)) {
            Ok(rate) => Some((pad, rate?)),
            Err(error) => {
                tracing::debug!(%error, "a rate will not be put back");
                None
            }
        }
    }

    /// Asks the sensor for a rate and returns the one that it chose; `None` where its rate is
    /// not set so.
    ///
    /// # Errors
    /// [`MediaError::Device`]; EBUSY while it streams.
    pub fn set_rate(&mut self, rate: Rate) -> Result<Option<Rate>, MediaError> {
        let Some(pad) = self.sensor() else {
            return Ok(None);
        };
        let sensor = self.devices.subdevice(pad.entity)?;
        if sensor.rate(pad.index)?.is_none() {
            return Ok(None);
        }
        Ok(sensor.set_rate(pad.index, rate)?)
    }

    /// Gives the sensor the rate that it had, once it has the format of then.
    pub(super) fn put_rate_back(&mut self, pad: PadId, rate: Rate) -> Result<(), MediaError> {
        let sensor = self.devices.subdevice(pad.entity)?;
        let is_back = |now: Option<Rate>| now.map(Rate::interval) == Some(rate.interval());
        if is_back(sensor.rate(pad.index)?) {
            return Ok(());
        }
        let given = sensor.set_rate(pad.index, rate)?;
        if !is_back(given) {
            let given = given.map_or_else(|| "none".to_owned(), |given| given.to_string());
            tracing::warn!(%sensor, %rate, %given, "a sensor's rate is not what it was");
        }
        Ok(())
    }
}
