@description('Region of all resources.')
param location string

@description('Tags of all resources.')
param tags object

@description('End of all names.')
param suffix string

@description('Who may read packages and keep the state of the host.')
param identityPrincipalId string

@description('Whether the account can only be reached through a virtual network.')
param privateNetwork bool

@description('Blob container of deployment packages.')
var packages = 'packages'

@description('Storage Blob Data Owner, which the host asks for.')
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${suffix}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource container 'containers' = {
      name: packages
    }
  }
}

resource owning 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, identityPrincipalId, blobDataOwner)
  scope: account
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      blobDataOwner
    )
  }
}

output id string = account.id
output blobEndpoint string = account.properties.primaryEndpoints.blob
output packages string = packages
