@description('Region of all resources.')
param location string

@description('Tags of all resources.')
param tags object

@description('End of all names.')
param suffix string

@description('The Cosmos DB account.')
param cosmosId string

@description('The storage account.')
param storageId string

var endpoints = [
  { name: 'cosmos', id: cosmosId, group: 'Sql', zone: 'privatelink.documents.azure.com' }
  {
    name: 'blob'
    id: storageId
    group: 'blob'
    zone: 'privatelink.blob.${environment().suffixes.storage}'
  }
]

resource network 'Microsoft.Network/virtualNetworks@2022-07-01' = {
  name: 'vnet-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.0.0.0/16'] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.0.0.0/24'
          delegations: [
            { name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.0.1.0/24'
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [
  for each in endpoints: {
    name: each.zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [
  for (each, nth) in endpoints: {
    parent: zones[nth]
    name: '${each.name}-${suffix}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2022-09-01' = [
  for each in endpoints: {
    name: 'pe-${each.name}-${suffix}'
    location: location
    tags: tags
    properties: {
      subnet: { id: '${network.id}/subnets/endpoints' }
      privateLinkServiceConnections: [
        {
          name: each.name
          properties: { privateLinkServiceId: each.id, groupIds: [each.group] }
        }
      ]
    }
  }
]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2022-01-01' = [
  for (each, nth) in endpoints: {
    parent: privateEndpoints[nth]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        { name: each.name, properties: { privateDnsZoneId: zones[nth].id } }
      ]
    }
  }
]

output appSubnetId string = '${network.id}/subnets/app'
