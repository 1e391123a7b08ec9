import { describe, expect, test } from 'vitest'
import { serviceNowEventShape } from '../../src/notifications/event.ts'
import { notificationFor } from '../../src/notifications/rules.ts'

function told(change: Record<string, unknown>, record: Record<string, unknown>) {
  return notificationFor(
    serviceNowEventShape.parse({
      event_type: 'x',
      table: 'incident',
      operation: 'update',
      timestamp: '2026-03-01 10:00:00',
      ...change,
      record: {
        sys_id: 'r1',
        number: 'INC1',
        assigned_to: 'u1',
        state: '1',
        priority: '4',
        short_description: 'Text',
        ...record,
      },
    }),
  )
}

describe('who is told what', () => {
  test.for<[string, Record<string, unknown>, Record<string, unknown>, string | undefined]>([
    ['an assigned incident in progress', {}, { state: '2' }, 'incident_assigned'],
    ['a number instead of a text', {}, { state: 2 }, 'incident_assigned'],
    [
      'a reference as an object',
      {},
      { state: '2', assigned_to: { value: 'u1', link: 'x' } },
      'incident_assigned',
    ],
    [
      'assigned and urgent at once: the first rule',
      {},
      { state: '2', priority: '1' },
      'incident_assigned',
    ],
    ['priority one', {}, { priority: '1' }, 'incident_updated'],
    ['priority two', {}, { priority: '2' }, 'incident_updated'],
    ['priority three', {}, { priority: '3' }, undefined],
    ['nobody to tell', {}, { state: '2', assigned_to: '' }, undefined],
    ['urgent and nobody to tell', {}, { priority: '1', assigned_to: null }, undefined],
    ['a new incident', { operation: 'insert' }, { state: '2' }, undefined],
    ['a deleted incident', { operation: 'delete' }, { state: '2' }, undefined],
    ['another table', { table: 'problem' }, { state: '2' }, undefined],
    [
      'an approval',
      { table: 'sysapproval_approver', operation: 'insert' },
      {},
      'approval_requested',
    ],
    ['an approval that changes', { table: 'sysapproval_approver' }, {}, undefined],
  ])('%s', ([, change, record, type]) => {
    expect(told(change, record)?.notification.type).toBe(type)
  })

  test('an assignment names the incident and the first hundred characters', () => {
    const text = '🖨'.repeat(150)
    expect(told({}, { state: '2', short_description: text })).toEqual({
      userId: 'u1',
      notification: {
        type: 'incident_assigned',
        title: 'Incident INC1 Assigned',
        body: '🖨'.repeat(100),
        data: { recordId: 'r1', recordNumber: 'INC1', table: 'incident' },
      },
    })
  })

  test('an urgent update names the priority and the first eighty characters', () => {
    expect(
      told({}, { priority: '1', short_description: 'x'.repeat(200) })?.notification,
    ).toMatchObject({
      title: 'P1 Incident Updated',
      body: `INC1: ${'x'.repeat(80)}`,
    })
  })

  test('an approval goes to the approver and opens the change', () => {
    const addressed = told(
      { table: 'sysapproval_approver', operation: 'insert' },
      { assigned_to: '', approver: 'boss', number: 'CHG7' },
    )
    expect(addressed).toMatchObject({
      userId: 'boss',
      notification: {
        body: 'Change CHG7 requires your approval',
        data: { table: 'change_request', recordNumber: 'CHG7' },
      },
    })
  })
})
