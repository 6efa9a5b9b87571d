'use strict';

// `@wiotp/sdk` 0.7.8: the registry over HTTPS, and a client that is refused.

const assert = require('node:assert');
const { before, test } = require('node:test');
const plant = require('./plant');
const { DEVICE_TYPE, GATEWAY_TYPE, application, inTime, register } = plant;

before(plant.ensureTypes);

function refusedWith(status) {
  return (error) => error.response && error.response.status === status;
}

test('registry: device types', async () => {
  const { registry } = application('node-registry');
  const made = await registry.registerDeviceType('nodeboiler', 'hot', { manufacturer: 'Acme' }, { room: 7 });
  assert.deepStrictEqual([made.id, made.classId, made.metadata], ['nodeboiler', 'Device', { room: 7 }]);
  await assert.rejects(registry.registerDeviceType('nodeboiler'), refusedWith(409));
  const changed = await registry.updateDeviceType('nodeboiler', 'hotter');
  assert.deepStrictEqual([changed.description, changed.deviceInfo.manufacturer], ['hotter', 'Acme']);
  const { results } = await registry.getAllDeviceTypes();
  assert.ok(results.some((it) => it.id === 'nodeboiler'));
  await registry.deleteDeviceType('nodeboiler');
  await assert.rejects(registry.getDeviceType('nodeboiler'), refusedWith(404));
});

test('registry: devices', async () => {
  const { registry } = application('node-registry');
  const made = await registry.registerDevice(DEVICE_TYPE, 'node-registry-1', 'Chosen-token-1', { model: 'M1' });
  assert.deepStrictEqual([made.authToken, made.deviceInfo.model], ['Chosen-token-1', 'M1']);
  await assert.rejects(registry.registerDevice(DEVICE_TYPE, 'node-registry-1'), refusedWith(409));
  await assert.rejects(registry.registerDevice('nosuchtype', 'node-registry-1'), refusedWith(404));
  const changed = await registry.updateDevice(DEVICE_TYPE, 'node-registry-1', { model: 'M2' }, undefined, { room: 7 });
  assert.deepStrictEqual([changed.deviceInfo.model, changed.metadata], ['M2', { room: 7 }]);
  assert.ok(!('authToken' in (await registry.getDevice(DEVICE_TYPE, 'node-registry-1'))), 'tokens are shown once');
  await registry.unregisterDevice(DEVICE_TYPE, 'node-registry-1');
  await assert.rejects(registry.getDevice(DEVICE_TYPE, 'node-registry-1'), refusedWith(404));
});

test('registry: bulk', async () => {
  const { registry } = application('node-registry');
  const uids = [1, 2, 3].map((n) => ({ typeId: DEVICE_TYPE, deviceId: `node-bulk-${n}` }));
  const made = await registry.registerMultipleDevices(uids);
  assert.ok(made.every((it) => it.success && it.authToken));
  for (const { deviceId } of uids) {
    await registry.unregisterDevice(DEVICE_TYPE, deviceId);
  }
});

test('registry: a wrong API token is refused', async () => {
  const app = application('node-registry');
  app.config.auth.token = 'wrong';
  await assert.rejects(app.registry.getAllDeviceTypes(), refusedWith(401));
});

for (const [what, type, make] of [['device', DEVICE_TYPE, plant.device], ['gateway', GATEWAY_TYPE, plant.gateway]]) {
  test(`${what}: a wrong token ends the SDK's attempts`, async (t) => {
    await register(type, `node-refused-${what}`);
    const client = make(`node-refused-${what}`, 'wrong');
    const refused = new Promise((resolve) => client.once('error', resolve));
    client.connect();
    t.after(() => plant.ended(client));
    // The words by which the SDK knows that trying again is useless.
    assert.match(String(await inTime('refusal', refused)), /Not authorized/);
    assert.ok(client.mqtt.disconnecting);
  });
}
