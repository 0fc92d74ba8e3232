// XEP-0004: Data Forms, version 2.13.1
import { attr, child, children, type Element, xml } from '../element.ts';

export const NS_DATA = 'jabber:x:data';

export interface FormField {
  readonly name: string;
  readonly values: readonly string[];
  readonly isRequired: boolean;
}

export interface DataForm {
  readonly type: string;
  /** The value of the hidden FORM_TYPE field (XEP-0068). */
  readonly formType: string | undefined;
  readonly fields: readonly FormField[];
}

/** The form among the children of `parent`. */
export function readForm(parent: Element | undefined): DataForm | undefined {
  const form = child(parent, 'x', NS_DATA);
  if (form === undefined) return undefined;
  const all = children(form, 'field').map((field) => ({
    name: attr(field, 'var') ?? '',
    values: children(field, 'value').map((value) => value.getText()),
    isRequired: child(field, 'required') !== undefined,
  }));
  return {
    type: attr(form, 'type') ?? 'form',
    formType: all.find(({ name }) => name === 'FORM_TYPE')?.values[0],
    fields: all.filter(({ name }) => name !== 'FORM_TYPE' && name !== ''),
  };
}

/** A filled-in form. */
export function submitForm(formType: string, values: Readonly<Record<string, string | readonly string[]>>): Element {
  const fields = Object.entries(values).map(([name, value]) =>
    xml('field', { var: name }, ...[value].flat().map((entry) => xml('value', {}, entry))),
  );
  const hidden = xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, formType));
  return xml('x', { xmlns: NS_DATA, type: 'submit' }, hidden, ...fields);
}
