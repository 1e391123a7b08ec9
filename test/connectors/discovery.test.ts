import { describe, expect, test } from 'vitest'
import { github } from '../../src/connectors/github/index.ts'
import type { Connector, Discovered, ExternalField } from '../../src/connectors/connector.ts'
import { salesforce } from '../../src/connectors/salesforce/index.ts'
import { servicenow } from '../../src/connectors/servicenow/index.ts'
import { serve } from './facts/server.ts'
import { signal } from './rig.ts'
import { gitHubRig, rigs, salesforceRig, serviceNowRig } from './rigs.ts'

type Config = Parameters<Connector['discover']>[1]
type Client = Parameters<Connector['discover']>[0]

async function discover(connector: Connector, client: Client, config: Config): Promise<Discovered> {
  const found = await connector.discover(client, config, signal)
  if (!found) throw new Error('the configuration names no kind of record')
  return found
}

async function fieldsOf(connector: Connector, client: Client, config: Config) {
  const found = await discover(connector, client, config)
  if (found.kind !== 'fields') throw new Error(found.reason)
  return new Map<string, ExternalField>(found.fields.map((one) => [one.name, one]))
}

const vendors = { ServiceNow: servicenow, Salesforce: salesforce, GitHub: github } as const
const targets: Readonly<Record<string, Config>> = {
  'ServiceNow incident': { entityType: 'incident' },
  'ServiceNow change_request': { entityType: 'change' },
  'ServiceNow sys_user': { entityType: 'contact' },
  'ServiceNow sysapproval_approver': { entityType: 'approval' },
  'ServiceNow problem, configured': { entityType: 'problem' },
  'Salesforce Case': { entityType: 'incident' },
  'Salesforce Contact': { entityType: 'contact' },
  'Salesforce Account': { entityType: 'account' },
  'GitHub issues': { entityType: 'incident', object: 'octo/hello' },
}

describe.each(rigs)('%s', (name, start) => {
  test('every field that is mapped without configuration is among those that are found, with its rights', async () => {
    await using rig = await start()
    const vendor = name.split(' ')[0] as keyof typeof vendors // the rigs' names begin so
    const fields = await fieldsOf(vendors[vendor], rig.client, targets[name] ?? { entityType: '' })
    const mapped = rig.stream.mapping.fields
    expect(mapped.map(({ external }) => external).filter((one) => !fields.has(one))).toEqual([])
    const written = mapped.filter(({ readOnly }) => !readOnly)
    expect(written.filter(({ external }) => fields.get(external)?.readOnly)).toEqual([])
    const instants = mapped.filter(({ type }) => type === 'instant')
    expect(instants.filter(({ external }) => fields.get(external)?.type !== 'instant')).toEqual([])
  })
})

const incidents = () =>
  serviceNowRig({ config: { entityType: 'incident' }, table: 'incident', field: 'description' })

describe('ServiceNow', () => {
  test('columns of a parent are columns of the table, with types, references and choices', async () => {
    await using rig = await incidents()
    const fields = await fieldsOf(servicenow, rig.client, { entityType: 'incident' })
    expect(fields.get('short_description')).toEqual({
      name: 'short_description',
      label: 'short description',
      type: 'text',
      vendorType: 'string',
      readOnly: false,
      required: false,
      length: 255,
    })
    expect(fields.get('caller_id')).toMatchObject({ references: ['sys_user'] })
    expect(fields.get('opened_at')).toMatchObject({ type: 'instant' })
    expect(fields.get('sys_updated_on')).toMatchObject({ readOnly: true })
    // Its own choices, not those of the parent.
    expect(fields.get('state')?.choices).toContainEqual({ value: '8', label: 'Canceled' })
    expect(fields.get('correlation_id')).toMatchObject({ isExternalId: true })
  })

  test('a column that was added is found, one that was dropped is not', async () => {
    await using rig = await incidents()
    rig.control.addColumn('incident', 'u_region')
    rig.control.dropColumn('incident', 'category')
    const fields = await fieldsOf(servicenow, rig.client, { entityType: 'incident' })
    expect([fields.has('u_region'), fields.has('category')]).toEqual([true, false])
  })

  test('what a table says of a column stands above what its parents say, whichever comes first', async () => {
    const said = (id: string, name: string, label: string) => ({
      sys_id: id,
      name,
      element: 'state',
      column_label: label,
      internal_type: 'integer',
      mandatory: name === 'incident' ? 'true' : 'false',
    })
    for (const [parent, child] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      await using server = await serve(servicenow, ({ url }) => {
        const query = url.searchParams.get('sysparm_query') ?? ''
        const rows: Record<string, object[]> = {
          sys_db_object: query.includes('name=incident')
            ? [{ name: 'incident', 'super_class.name': 'task' }]
            : [{ name: 'task', 'super_class.name': '' }],
          sys_dictionary: [said(parent, 'task', 'State'), said(child, 'incident', 'Own state')],
        }
        return { body: { result: rows[url.pathname.split('/').at(-1) ?? ''] ?? [] } }
      })
      const fields = await fieldsOf(servicenow, server.client, { entityType: 'incident' })
      expect(fields.get('state')).toMatchObject({ label: 'Own state', required: true })
    }
  })

  test("a table of the customer's own is described without a line of code", async () => {
    await using rig = await incidents()
    rig.control.addTable('u_asset', ['u_name', 'u_owner'])
    const fields = await fieldsOf(servicenow, rig.client, {
      entityType: 'asset',
      object: 'u_asset',
    })
    expect([...fields.keys()]).toEqual(expect.arrayContaining(['u_name', 'u_owner', 'sys_id']))
  })

  test('who may not read the dictionary learns the names that a record has', async () => {
    await using rig = await incidents()
    rig.create('one')
    rig.control.setRights('sys_dictionary', { read: false })
    rig.control.setRights('sys_db_object', { read: false })
    const found = await discover(servicenow, rig.client, { entityType: 'incident' })
    expect(found).toMatchObject({ kind: 'fields', from: 'sample' })
    const names = found.kind === 'fields' ? found.fields.map(({ name }) => name) : []
    expect(names).toEqual(expect.arrayContaining(['number', 'short_description', 'sys_id']))
  })

  test.for(['a/../b', 'Incident', '', 'x^ORy=1'])('%j is no table', (object) => {
    expect(
      servicenow.discover({} as Client, { entityType: 'incident', object }, signal), // it is not asked
    ).toBeUndefined()
  })

  test('a dictionary that ignores the query is not believed', async () => {
    await using server = await serve(servicenow, ({ url }) => {
      const row = { sys_id: 'a', name: 'other', element: 'x', 'super_class.name': 'wrong' }
      const table = url.pathname.split('/').at(-1)
      return { body: { result: table === 'incident' ? [{ sys_id: 'b', number: '1' }] : [row] } }
    })
    expect(await discover(servicenow, server.client, { entityType: 'incident' })).toMatchObject({
      from: 'sample',
      fields: [{ name: 'number' }, { name: 'sys_id', readOnly: true }],
    })
  })
})

describe('Salesforce', () => {
  test('types, lengths, rights, references and picklists are those of the description', async () => {
    await using server = await serve(salesforce, () => ({
      body: {
        name: 'Case',
        fields: [
          {
            name: 'Id',
            type: 'id',
            label: 'Case ID',
            updateable: false,
            createable: false,
            nillable: false,
          },
          {
            name: 'Status',
            type: 'picklist',
            label: 'Status',
            length: 255,
            updateable: true,
            createable: true,
            nillable: false,
            defaultedOnCreate: true,
            picklistValues: [
              { value: 'New', label: 'Neu', active: true },
              { value: 'Old', label: 'Old', active: false },
            ],
          },
          { name: 'ClosedDate', type: 'datetime', label: 'Closed', updateable: false },
          {
            name: 'ContactId',
            type: 'reference',
            label: 'Contact',
            referenceTo: ['Contact'],
            updateable: true,
          },
          {
            name: 'Name__c',
            type: 'string',
            updateable: true,
            createable: true,
            nillable: false,
            externalId: true,
          },
          'nonsense',
        ],
      },
    }))
    const found = await discover(salesforce, server.client, { entityType: 'incident' })
    expect(found).toEqual({
      kind: 'fields',
      object: 'Case',
      from: 'description',
      fields: [
        {
          name: 'Id',
          label: 'Case ID',
          type: 'text',
          vendorType: 'id',
          readOnly: true,
          required: false,
        },
        {
          name: 'Status',
          label: 'Status',
          type: 'text',
          vendorType: 'picklist',
          readOnly: false,
          required: false,
          length: 255,
          choices: [{ value: 'New', label: 'Neu' }],
        },
        {
          name: 'ClosedDate',
          label: 'Closed',
          type: 'instant',
          vendorType: 'datetime',
          readOnly: true,
          required: false,
        },
        {
          name: 'ContactId',
          label: 'Contact',
          type: 'text',
          vendorType: 'reference',
          readOnly: false,
          required: false,
          references: ['Contact'],
        },
        {
          name: 'Name__c',
          label: 'Name__c',
          type: 'text',
          vendorType: 'string',
          readOnly: false,
          required: true,
          isExternalId: true,
        },
      ],
    })
  })

  test('an object that is not there is refused', async () => {
    await using rig = await salesforceRig('incident', 'Case', 'Subject')
    expect(
      await discover(salesforce, rig.client, { entityType: 'x', object: 'Nothing__c' }),
    ).toMatchObject({
      kind: 'refused',
    })
  })
})

describe('GitHub', () => {
  test('a repository that is hidden, or has no issues, is refused', async () => {
    await using rig = await gitHubRig()
    const config = { entityType: 'incident', object: 'octo/hello' }
    rig.control.switchIssues(false)
    expect(await discover(github, rig.client, config)).toMatchObject({ kind: 'refused' })
    rig.hide()
    expect(await discover(github, rig.client, config)).toMatchObject({ kind: 'refused' })
    expect(github.discover(rig.client, { entityType: 'incident' }, signal)).toBeUndefined()
  })
})
