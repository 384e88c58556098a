export function thingRuleToHclTerraform(struct?: ThingRule): any {
  const attrs = {
    label: {
      value: cdktn.stringToHclTerraform(struct!.label),
      isBlock: false,
      type: "simple",
      storageClassType: "string",
    },
  };
}
export class ThingRuleOutputReference extends cdktn.ComplexObject {
  // label - computed: false, optional: false, required: true
  private _label?: string;
  public get label() {
    return this.getStringAttribute('label');
  }
}
export class ThingRuleList extends cdktn.ComplexList {
  public get(index: number): ThingRuleOutputReference {
    return new ThingRuleOutputReference(this.terraformResource, this.terraformAttribute, index, this.wrapsSet);
  }
}
export class ThingSkuOutputReference extends cdktn.ComplexObject {
  // capacity - computed: false, optional: true, required: false
  private _capacity?: number;
  public get capacity() {
    return this.getNumberAttribute('capacity');
  }
}
export class ThingEndpointOutputReference extends cdktn.ComplexObject {
  // host - computed: true, optional: false, required: false
  public get host() {
    return this.getStringAttribute('host');
  }
}
export class ThingEndpointList extends cdktn.ComplexList {
  public get(index: number): ThingEndpointOutputReference {
    return new ThingEndpointOutputReference(this.terraformResource, this.terraformAttribute, index, this.wrapsSet);
  }
}
export class Thing extends cdktn.TerraformResource {
  public static readonly tfResourceType = "cloud_thing";
  constructor() {
    super({ terraformGeneratorMetadata: { providerVersion: '7.1.0' } });
  }

  // zones - computed: false, optional: true, required: false
  private _zones?: string[];
  public get zones() {
    return cdktn.Fn.tolist(this.getListAttribute('zones'));
  }

  // tags - computed: false, optional: true, required: false
  private _tags?: { [key: string]: string };
  public get tags() {
    return this.getStringMapAttribute('tags');
  }

  // matrix - computed: false, optional: true, required: false
  private _matrix?: number[][];

  // metrics - computed: true, optional: false, required: false
  private _metrics = new cdktn.StringMapList(this, "metrics", false);

  // endpoint - computed: true, optional: false, required: false
  private _endpoint = new ThingEndpointList(this, "endpoint", true);

  // rule - computed: false, optional: true, required: false
  private _rule = new ThingRuleList(this, "rule", false);

  // sku - computed: false, optional: false, required: true
  private _sku = new ThingSkuOutputReference(this, "sku");

  // =========
  // SYNTHESIS
  // =========

  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      zones: {
        value: cdktn.listMapperHcl(cdktn.stringToHclTerraform, false)(this._zones),
        isBlock: false,
        type: "set",
        storageClassType: "stringList",
      },
      rule: {
        value: cdktn.listMapperHcl(thingRuleToHclTerraform, true)(this._rule.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "ThingRuleList",
      },
      sku: {
        value: thingSkuToHclTerraform(this._sku.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "ThingSkuList",
      },
    };
  }
}
