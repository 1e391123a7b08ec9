/** One field of an object. */
export interface Field {
  readonly kind: 'text' | 'number' | 'boolean' | 'instant' | 'reference'
  readonly length?: number
  readonly required?: boolean
  /** Set by the platform only. */
  readonly readOnly?: boolean
  readonly externalId?: boolean
  readonly unique?: boolean
  readonly refersTo?: string
}

export interface ObjectShape {
  /** The first three characters of its records' ids. */
  readonly prefix: string
  readonly fields: Readonly<Record<string, Field>>
}

const text = (length = 255): Field => ({ kind: 'text', length })
const readOnly = (kind: Field['kind']): Field => ({ kind, readOnly: true })
const to = (refersTo: string): Field => ({ kind: 'reference', refersTo })

const system: Readonly<Record<string, Field>> = {
  Id: readOnly('reference'),
  IsDeleted: readOnly('boolean'),
  CreatedDate: readOnly('instant'),
  CreatedById: readOnly('reference'),
  LastModifiedDate: readOnly('instant'),
  LastModifiedById: readOnly('reference'),
  SystemModstamp: readOnly('instant'),
  OwnerId: to('User'),
  /** What an administrator adds for an integration: the first may not repeat, the second may. */
  Syncline_Id__c: { ...text(100), externalId: true, unique: true },
  Legacy_Id__c: { ...text(100), externalId: true },
}

const shape = (prefix: string, fields: Readonly<Record<string, Field>>): ObjectShape => ({
  prefix,
  fields: { ...system, ...fields },
})

/** The objects of a new organisation. An organisation changes its own copy. */
export const OBJECTS: Readonly<Record<string, ObjectShape>> = {
  Account: shape('001', {
    Name: { ...text(), required: true },
    Phone: text(40),
    Website: text(),
    Industry: text(),
    Type: text(),
    AnnualRevenue: { kind: 'number' },
    Description: text(32_000),
    BillingCity: text(40),
  }),
  Contact: shape('003', {
    FirstName: text(40),
    LastName: { ...text(80), required: true },
    Email: text(80),
    Phone: text(40),
    MobilePhone: text(40),
    Title: text(128),
    AccountId: to('Account'),
  }),
  Case: shape('500', {
    CaseNumber: readOnly('text'),
    Subject: text(),
    Description: text(32_000),
    Status: text(),
    Priority: text(),
    Origin: text(),
    Reason: text(),
    Type: text(),
    ContactId: to('Contact'),
    AccountId: to('Account'),
    IsClosed: readOnly('boolean'),
    ClosedDate: readOnly('instant'),
    Active__c: { kind: 'boolean' },
    Impact__c: { kind: 'number' },
    Urgency__c: { kind: 'number' },
    State__c: { kind: 'number' },
    Category__c: text(),
    Assigned_To__c: text(),
  }),
  User: shape('005', {
    Username: text(80),
    Name: text(121),
    Email: text(128),
    IsActive: { kind: 'boolean' },
  }),
}
